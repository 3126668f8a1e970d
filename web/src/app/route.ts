/** Where the person is, kept in the part of the address after #, so that a reload and the back key work. */
import { useSyncExternalStore } from 'react';

export type Route =
  | { screen: 'home' }
  | { screen: 'find'; text: string }
  | { screen: 'register'; text: string }
  | { screen: 'list'; pathway: string; list: string }
  | { screen: 'mine' }
  | { screen: 'accounts' }
  | { screen: 'imports' }
  | { screen: 'audit' }
  | { screen: 'purges' }
  | { screen: 'system' }
  | { screen: 'glass' }
  | { screen: 'figures'; search: string }
  | { screen: 'patient'; patient: string; task?: string; from?: string };

function decode(text: string | undefined): string {
  try {
    return decodeURIComponent(text ?? '');
  } catch {
    return '';
  }
}

export function parseRoute(hash: string): Route {
  const [path, search] = hash.replace(/^#\/?/, '').split('?');
  const parts = path.split('/').map(decode);
  const query = new URLSearchParams(search ?? '');
  switch (parts[0]) {
    case 'find': return { screen: 'find', text: query.get('text') ?? '' };
    case 'register': return { screen: 'register', text: query.get('text') ?? '' };
    case 'list': return { screen: 'list', pathway: parts[1] ?? '', list: parts[2] ?? '' };
    case 'mine': return { screen: 'mine' };
    case 'accounts': return { screen: 'accounts' };
    case 'imports': return { screen: 'imports' };
    case 'audit': return { screen: 'audit' };
    case 'purges': return { screen: 'purges' };
    case 'system': return { screen: 'system' };
    case 'glass': return { screen: 'glass' };
    case 'figures': return { screen: 'figures', search: search ?? '' };
    case 'patient':
      return {
        screen: 'patient', patient: parts[1] ?? '',
        task: parts[2] === 'case' ? parts[3] : undefined, from: query.get('from') ?? undefined,
      };
    default: return { screen: 'home' };
  }
}

export function routeText(route: Route): string {
  const e = encodeURIComponent;
  switch (route.screen) {
    case 'find': return `#/find${route.text ? `?text=${e(route.text)}` : ''}`;
    case 'register': return `#/register${route.text ? `?text=${e(route.text)}` : ''}`;
    case 'list': return `#/list/${e(route.pathway)}/${e(route.list)}`;
    case 'mine': return '#/mine';
    case 'accounts': return '#/accounts';
    case 'imports': return '#/imports';
    case 'audit': return '#/audit';
    case 'purges': return '#/purges';
    case 'system': return '#/system';
    case 'glass': return '#/glass';
    case 'figures': return `#/figures${route.search ? `?${route.search}` : ''}`;
    case 'patient': {
      const task = route.task ? `/case/${e(route.task)}` : '';
      return `#/patient/${e(route.patient)}${task}${route.from ? `?from=${e(route.from)}` : ''}`;
    }
    default: return '#/';
  }
}

export function go(route: Route): void {
  location.hash = routeText(route);
}

function follow(tell: () => void): () => void {
  window.addEventListener('hashchange', tell);
  return () => window.removeEventListener('hashchange', tell);
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(follow, () => location.hash);
  return parseRoute(hash);
}
