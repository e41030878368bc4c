/** Where the page is. Going from one screen to another loads no page anew; `screens.ts` says which paths there are. */

class Route {
  path = $state(location.pathname);
}

export const route = new Route();

addEventListener('popstate', () => (route.path = location.pathname));

/** A link within the page, by `onclick`: goes there without loading anything anew, unless another tab is meant. */
export function follow(event: MouseEvent & { currentTarget: HTMLAnchorElement }): void {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  go(event.currentTarget.pathname);
}

export function go(path: string): void {
  history.pushState(null, '', path);
  route.path = path;
  scrollTo(0, 0);
}
