/** The control room's state: the stream of operations in, everything that is shown out, at most every 100 ms. */

import { createContext } from 'svelte';
import { Problem, resumeDocument, stopDocument } from '../api';
import { foldInks } from '../fold';
import { EventStream, type Connection } from '../stream';
import type { Document, TextAppended } from '../types';
import { act, dialsOf, documentAsFolded, operationsPath, processesOf, turnDials, type Action, type DialsHeld } from './api';
import { SharedChoice } from '../choice';
import { Counting, openNow, type Counters } from './counters';
import { flagOf, type Flag } from './flags';
import { busiestWriter, House, inHand, type Process } from './house';
import { cellIn, isFact, isNote, lineOf, Lines, type Line, type Note, type Sample } from './operations';
import { Player } from './player.svelte';
import { agree, Replay } from './replay';
import { Tour } from './tour-guide.svelte';
import { Waterfall, waterfallOf, type Bar, type RowsShown } from './waterfall';
import { words } from './words';

const FLUSH_MS = 100;
const LINES_MAX = 5_000;
const FLAGS_MAX = 500;
const PROCESSES_AGAIN_MS = 300;
/** What it does is asked over itself: only once it is back. */
const BUS = 'nats-server';

/** Something that wants a second thought: to which process, and how many cells of this document it has in hand. */
export interface Asked {
  action: Action;
  process: Process;
  cells: number;
}

export class ControlRoom {
  readonly id: string;
  readonly replay: Replay;
  readonly lines = new Lines(LINES_MAX);
  readonly house = new House();
  rowsShown = $state<RowsShown>('all');
  readonly tour = new Tour(this);
  readonly player: Player;
  connection = $state.raw<Connection>({ type: 'connecting' });
  /** Grows with every flush: what is shown of the mutable parts above is derived again. */
  version = $state(0);
  flags = $state.raw<readonly Flag[]>([]);
  dropped = $state(0);
  chosen = $state.raw<Line | null>(null);
  chosenBar = $state.raw<Bar | null>(null);
  /** The cell that all views show as chosen, the document's page in another tab included. */
  chosenCell = $state<string | null>(null);
  /** What is about to be done to a process, once somebody has said yes. */
  asked = $state.raw<Asked | null>(null);
  dials = $state.raw<DialsHeld | null>(null);
  processes = $state.raw<readonly Process[]>([]);
  isDemo = $state(true);
  isBusy = $state(false);
  /** What was done, or what went wrong: the status line. */
  status = $state('');
  resumes = $state({ right: 0, all: 0 });
  #live = $state.raw<Document | null>(null);
  #waterfall = new Waterfall();
  #counting = new Counting();
  #inks: TextAppended[] = [];
  #inked: Document | null = null;
  #number = 0;
  #stream: EventStream;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wasCut = false;
  #comparing: Document | null = null;
  #choice: SharedChoice;
  // A moment of the past does not change any more: folded and drawn once, however long one looks at it.
  #then = $derived.by(() => {
    const { moment } = this.player;
    if (moment === null) return null;
    return { document: this.replay.at(moment), waterfall: waterfallOf(this.replay.facts.slice(0, moment)) };
  });

  constructor(id: string) {
    this.id = id;
    this.replay = new Replay(id);
    this.player = new Player(this.replay, () => this.tour.hear({ type: 'Replayed' }));
    this.#choice = new SharedChoice(id, (cell) => (this.chosenCell = cell));
    this.#stream = new EventStream(operationsPath(id), {
      onEvent: ({ event, data }) => this.#take(event, data),
      onConnection: (connection) => this.#connected(connection),
    });
  }

  /** The document at the moment that is shown. */
  get document(): Document | null {
    return this.#then === null ? this.#live : this.#then.document;
  }

  get live(): Document | null {
    return this.#live;
  }

  get waterfall(): Waterfall {
    void this.version;
    return this.#then === null ? this.#waterfall : this.#then.waterfall;
  }

  get chosenSection(): string | null {
    return this.chosenCell?.split(':')[0] ?? null;
  }

  counters(now_ms: number): Counters {
    void this.version;
    return this.#counting.counters(this.#live, now_ms);
  }

  /** Connects, and stays connected until the returned function is called. */
  open(): () => void {
    const abort = new AbortController();
    const { signal } = abort;
    addEventListener('pagehide', () => this.#stream.stop(), { signal });
    addEventListener('pageshow', (event) => event.persisted && this.#stream.start(), { signal });
    addEventListener('online', () => this.#stream.hurry(), { signal });
    this.#stream.start();
    void this.#lookAtHouse();
    return () => {
      abort.abort();
      clearTimeout(this.#timer);
      this.player.hold();
      this.#choice.close();
      this.#stream.stop();
    };
  }

  // -- What can be done --------------------------------------------------------------------------------------------------

  turn(dials: Record<string, number | null>): Promise<void> {
    return this.doing(async () => {
      this.dials = await turnDials(this.id, { dials });
      return '';
    });
  }

  resetDials(): Promise<void> {
    return this.doing(async () => {
      this.dials = await turnDials(this.id, { reset: true });
      return '';
    });
  }

  act(action: Action, process: string): Promise<void> {
    this.asked = null;
    return this.doing(async () => {
      const done = await act(this.id, process, action);
      this.processes = done.processes;
      return done.did ?? '';
    });
  }

  /** Once more, before it is done. */
  ask(action: Action, process: Process): void {
    this.asked = { action, process, cells: inHand(process, this.#live) };
  }

  /** To the writer with the most in hand; what is drastic is asked once more. Looked up now, as its process id changes with every life. */
  toBusiest(action: 'kill' | 'freeze'): Promise<void> {
    return this.doing(async () => {
      this.processes = (await processesOf(this.id)).processes;
      const writer = busiestWriter(this.processes, this.#live);
      if (writer === null) return words.noWriter;
      if (action === 'kill') {
        this.ask(action, writer);
        return '';
      }
      const done = await act(this.id, writer.name, action);
      this.processes = done.processes;
      return done.did ?? '';
    });
  }

  stop(): Promise<void> {
    return this.doing(async () => {
      await stopDocument(this.id);
      return '';
    });
  }

  resume(): Promise<void> {
    return this.doing(async () => {
      await resumeDocument(this.id);
      return '';
    });
  }

  /** Drops the connection as a bad network would; it comes back from the last fact. */
  cut(): void {
    this.#wasCut = true;
    this.#stream.stop();
    this.#stream.start();
    this.status = words.cutDone;
  }

  chooseBar(bar: Bar): void {
    this.chosenBar = bar;
    this.chosen = this.lineOfFact(bar.sequence);
    this.choose(bar.cell);
  }

  chooseLine(line: Line): void {
    this.chosen = line;
    const cell = cellIn(line);
    if (cell !== null) this.choose(cell);
  }

  /** Here, and on the document's page. */
  choose(cell: string | null): void {
    this.chosenCell = cell;
    if (cell !== null) this.#choice.tell(cell);
  }

  /** A fact as a line of the log, even where the log has let go of it. */
  lineOfFact(sequence: number): Line | null {
    const kept = this.lines.kept.find((line) => isFact(line) && line.sequence === sequence);
    if (kept !== undefined) return kept;
    const fact = this.replay.facts[this.replay.countAt(sequence) - 1];
    if (fact === undefined) return null;
    const { event, json } = fact;
    return { kind: 'fact', shown: 'fact', number: -1, subject: `doc.${this.id}`, at_ms: event.at_ms, sequence, event, json };
  }

  /** Does it, and says in the status line what came of it. */
  async doing(wish: () => Promise<string>): Promise<void> {
    this.isBusy = true;
    this.status = words.doing;
    try {
      this.status = await wish();
    } catch (error) {
      this.status = error instanceof Error ? error.message : String(error);
    } finally {
      this.isBusy = false;
    }
  }

  async #lookAtHouse(): Promise<void> {
    try {
      const [dials, { processes }] = await Promise.all([dialsOf(this.id), processesOf(this.id)]);
      this.dials = dials;
      this.processes = processes;
      this.isDemo = true;
    } catch (error) {
      this.isDemo = !(error instanceof Problem && error.status === 403);
    }
  }

  // -- What comes in -----------------------------------------------------------------------------------------------------

  #connected(connection: Connection): void {
    const isResumed = connection.type === 'caught_up' && (this.#wasCut || this.connection.type === 'reconnecting');
    this.connection = connection;
    if (connection.type === 'reconnecting') this.#wasCut = true;
    if (connection.type !== 'caught_up') return;
    if (isResumed) void this.#compare();
    this.#wasCut = false;
  }

  #take(event: string, data: string): void {
    if (event === 'Dropped') {
      this.dropped += (JSON.parse(data) as { dropped: number }).dropped;
      return;
    }
    if (event === 'snapshot') this.replay.begin(JSON.parse(data) as Document);
    if (event !== 'Operation') return;
    const line = lineOf(data, ++this.#number);
    if (isFact(line)) {
      const before = this.replay.facts.length;
      this.replay.take(line.event, line.sequence, line.json);
      if (this.replay.facts.length === before) return;
      this.#waterfall.take(line.event, line.sequence);
      this.#counting.take(line.event);
      this.#flag(line.event);
    } else if (line.kind === 'ink') {
      this.#inks.push(line.event as TextAppended);
    } else if (line.kind === 'sample') {
      this.house.take(line.event as Sample, openNow(this.replay.newest));
      if (isNote(line)) this.#noted(line.event);
    }
    this.lines.add(line);
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  #noted(note: Note): void {
    this.#flag(note);
    if (note.type === 'BusReturned') void this.#compare();
    if (note.type === 'DialsTurned' || note.type === 'BusReturned' || ('process' in note && note.process !== BUS)) {
      setTimeout(() => void this.#lookAtHouse(), PROCESSES_AGAIN_MS);
    }
  }

  #flag(what: Flag['what']): void {
    this.tour.hear(what);
    const flag = flagOf(what);
    if (flag !== null) this.flags = [...this.flags.slice(1 - FLAGS_MAX), flag];
  }

  /** Ink is folded over the newest facts; what a completion has is dry. */
  #flush(): void {
    this.#timer = undefined;
    const { newest } = this.replay;
    if (newest !== null) {
      const was = this.#inked;
      const withInk = was === null || was.sequence === newest.sequence ? (was ?? newest) : this.#carried(was, newest);
      this.#inked = foldInks(withInk, this.#inks);
      this.#live = this.#inked;
    }
    this.#inks = [];
    this.version++;
    this.#settleComparison();
  }

  /** The newest document with the ink that is not dry of the one before. */
  #carried(was: Document, newest: Document): Document {
    const cells = Object.fromEntries(
      Object.entries(newest.cells).map(([id, cell]) => {
        const ink = was.cells[id]?.ink ?? null;
        const isWet = ink !== null && Math.floor(ink.attempt / 1_000_000) > cell.ink_dry && ink.attempt >= (cell.ink?.attempt ?? 0);
        return [id, isWet ? { ...cell, ink } : cell];
      }),
    );
    return { ...newest, cells };
  }

  // -- Resumed without loss? ---------------------------------------------------------------------------------------------

  async #compare(): Promise<void> {
    try {
      this.#comparing = await documentAsFolded(this.id);
    } catch {
      return; // The gateway is away, too; the next connection is compared.
    }
    this.#settleComparison();
  }

  #settleComparison(): void {
    const theirs = this.#comparing;
    const last = this.replay.newest?.sequence ?? 0;
    if (theirs === null || last < theirs.sequence) return;
    this.#comparing = null;
    const ours = this.replay.at(this.replay.countAt(theirs.sequence));
    const isRight = ours !== null && agree(ours, theirs);
    this.resumes = { right: this.resumes.right + (isRight ? 1 : 0), all: this.resumes.all + 1 };
  }
}

export const [getRoom, setRoom] = createContext<ControlRoom>();
