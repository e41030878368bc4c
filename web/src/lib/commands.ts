/** All that the palette can do on a document's page. */

import { headingOf, isInFlight, keepOn, rewrite, stop } from './doing';
import { edit, library, page, palette, panels, take, tools } from './messages';
import type { Command } from './palette';
import type { Reader } from './reader.svelte';
import { go } from './route.svelte';
import type { Run } from './run.svelte';
import { nextTheme } from './theme.svelte';
import type { Format } from './api';
import { cellOf } from './view';

export function commandsOf(reader: Reader, run: Run): Command[] {
  const shown = reader.live.document;
  const action = (id: string, label: string, act: () => void, keys?: string): Command => {
    const command = { id: `do:${id}`, kind: palette.action, label, act };
    return keys === undefined ? command : { ...command, keys };
  };
  const commands: Command[] = [];
  const { can } = run;
  if (can !== null) {
    const labels = { stop: page.stop, resume: page.resume, again: page.again };
    commands.push(action('run', labels[can], () => run.toggle(), '.'));
  }
  for (const section of shown?.outline ?? []) {
    const { id, heading } = section;
    commands.push({ id: `section:${id}`, kind: palette.goTo, label: heading, act: () => reader.showSection(id) });
  }
  for (const { given } of Object.values(shown?.sources ?? {})) {
    commands.push({ id: `source:${given.id}`, kind: palette.source, label: given.name, act: () => reader.openSource(given.id) });
  }
  commands.push(
    action('evidence', panels.evidence, () => reader.openPanel('evidence')),
    action('prompt', panels.prompt, () => reader.openPanel('prompt')),
    action('history', panels.history, () => reader.openPanel('history')),
    action('outline', page.showOutline, () => (reader.isOutlineOpen = !reader.isOutlineOpen), '['),
    action('panel', page.showEvidence, () => (reader.isPanelOpen = !reader.isPanelOpen), ']'),
  );
  if (shown !== null && shown.outline.length > 0) {
    for (const format of ['md', 'html', 'docx', 'json'] satisfies Format[]) {
      commands.push(action(format, `${palette.download}: ${take.formats[format]}`, () => run.export(format)));
    }
    commands.push(action('print', take.print, () => setTimeout(print)));
  }
  if (!reader.isReadOnly && shown !== null && shown.outline.length > 0) {
    commands.push(action('plan', edit.outline, () => (reader.dialog = 'plan')));
  }
  if (!reader.isReadOnly && shown?.run.type === 'Running') {
    const isOn = shown.policy.on_last_viewer_left !== 'continue';
    commands.push(action('keep-on', isOn ? page.keepOn : palette.keepOnNot, () => void keepOn(reader, isOn)));
  }
  const cell = reader.cell ?? reader.section;
  if (cell !== null && shown !== null && !reader.isReadOnly) {
    const heading = headingOf(reader, cell);
    if (isInFlight(cellOf(shown, cell))) {
      commands.push(action('stop', `${tools.stop}: ${heading}`, () => void stop(reader, cell), 'Esc'));
    }
    commands.push(
      action('edit', `${tools.edit}: ${heading}`, () => (reader.editor.cell = cell), 'e'),
      action('rewrite', `${tools.rewrite}: ${heading}`, () => void rewrite(reader, cell), 'r'),
    );
  }
  commands.push(
    action('theme', palette.nextTheme, nextTheme),
    action('control', page.controlRoom, () => window.open(`/control/${reader.live.id}`, '_blank')),
    action('library', library.title, () => go('/library')),
    action('settings', page.settings, () => go('/settings')),
    action('new', page.home, () => go('/')),
    action('help', page.help, () => (reader.dialog = 'help'), '?'),
  );
  return commands;
}
