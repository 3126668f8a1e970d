/**
 * The tabs of one browser share one session. A tab that changes it (log-in, another post, log-out) says so, and the others
 * read again who is here: no tab goes on showing one person while it acts as another.
 */
const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('menkou-session');

export function tellTabs(): void {
  channel?.postMessage('changed');
}

/** A channel does not hear itself. */
export function onOtherTab(listener: () => void): () => void {
  channel?.addEventListener('message', listener);
  return () => channel?.removeEventListener('message', listener);
}
