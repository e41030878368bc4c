/** Light, dark, or as the system has it; remembered by the browser. */

export type Theme = 'system' | 'light' | 'dark';

const NEXT: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' };
const KEY = 'scriptorium:theme';

function remembered(): Theme {
  const theme = localStorage.getItem(KEY);
  return theme === 'light' || theme === 'dark' ? theme : 'system';
}

class Choice {
  theme = $state<Theme>(remembered());
}

export const choice = new Choice();

export function applyTheme(): void {
  document.documentElement.dataset['theme'] = choice.theme;
}

export const nextTheme = () => setTheme(NEXT[choice.theme]);

export function setTheme(theme: Theme): void {
  choice.theme = theme;
  localStorage.setItem(KEY, choice.theme);
  applyTheme();
}
