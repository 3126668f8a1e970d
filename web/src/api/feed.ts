/** The event stream itself, without a page: used in the shared worker and, where there is none, in a tab. */
export type FeedMessage =
  | { kind: 'state'; state: 'connecting' | 'live' | 'down' }
  | { kind: 'reset' }
  | { kind: 'denied' }
  | { kind: 'event'; event: string; data: string };

const NAMES = ['resource', 'alert', 'clock'];
const RETRY_MS = 3000;

/**
 * The browser resumes by Last-Event-ID on its own after a broken line. Only when the server refuses (410: too long ago,
 * 401: session over) does EventSource give up: the reader is told, and a new one starts without an id; once that stands the
 * readers are told to read again.
 */
export function openFeed(tell: (message: FeedMessage) => void): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let again = false;

  const connect = () => {
    tell({ kind: 'state', state: again ? 'down' : 'connecting' });
    source = new EventSource('/events', { withCredentials: true });
    source.onopen = () => {
      tell({ kind: 'state', state: 'live' });
      if (again) tell({ kind: 'reset' });
      again = false;
    };
    source.onerror = () => {
      tell({ kind: 'state', state: 'down' });
      if (source?.readyState !== EventSource.CLOSED) return;
      again = true;
      tell({ kind: 'denied' });
      timer = setTimeout(connect, RETRY_MS);
    };
    for (const name of NAMES) {
      source.addEventListener(name, (e) => tell({ kind: 'event', event: name, data: (e as MessageEvent<string>).data }));
    }
  };
  connect();
  return () => {
    if (timer) clearTimeout(timer);
    source?.close();
  };
}
