/** Where the page is: `/` or `/d/<id>`. Going from one to the other loads nothing. */

class Route {
  path = $state(location.pathname);
}

export const route = new Route();

addEventListener('popstate', () => (route.path = location.pathname));

export function go(path: string): void {
  history.pushState(null, '', path);
  route.path = path;
  scrollTo(0, 0);
}

/** The document's id in a path; null on every other page. */
export function documentIn(path: string): string | null {
  return /^\/d\/([0-9a-f]{32})\/?$/.exec(path)?.[1] ?? null;
}
