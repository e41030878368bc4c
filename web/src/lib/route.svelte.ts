/** Where the page is. Going from one screen to another loads no page anew; `screens.ts` says which paths there are. */

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
