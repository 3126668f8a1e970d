/**
 * The live feed. One connection a browser: a SharedWorker holds it and tells every tab; where there is none (private
 * windows of old browsers) the tab holds its own. `reset` means that the feed could not be resumed: read everything again.
 */
import { useEffect, useSyncExternalStore } from 'react';
import type { QueryClient } from '@tanstack/react-query';
import { openFeed, type FeedMessage } from './feed.ts';
import { checkSession, takeServerTime } from './session.ts';

export interface LiveEvent { type: string; id: string; versionId?: string; op?: string; case?: string; state?: string }
type AlertListener = (event: LiveEvent) => void;
export type LiveState = 'connecting' | 'live' | 'down';

let state: LiveState = 'connecting';
const stateListeners = new Set<() => void>();
const alertListeners = new Set<AlertListener>();

function setState(next: LiveState): void {
  if (next === state) return;
  state = next;
  stateListeners.forEach((tell) => tell());
}

export function useLiveState(): LiveState {
  return useSyncExternalStore(
    (tell) => { stateListeners.add(tell); return () => stateListeners.delete(tell); },
    () => state,
  );
}

export function useAlertEvents(listener: AlertListener): void {
  useEffect(() => {
    alertListeners.add(listener);
    return () => { alertListeners.delete(listener); };
  }, [listener]);
}

function eventOf(data: string): LiveEvent | undefined {
  try {
    return JSON.parse(data) as LiveEvent;
  } catch {
    return undefined;
  }
}

/** Queries are keyed [type, …]; a burst of events is one round of reading. */
class Invalidator {
  private types = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly client: QueryClient;

  constructor(client: QueryClient) { this.client = client; }

  touch(type: string): void {
    this.types.add(type);
    this.timer ??= setTimeout(() => this.flush(), 120);
  }

  private flush(): void {
    const types = this.types;
    this.types = new Set();
    this.timer = undefined;
    void this.client.invalidateQueries({ predicate: (q) => types.has(String(q.queryKey[0])) });
  }
}

function takeMessage(message: FeedMessage, client: QueryClient, invalidator: Invalidator): void {
  if (message.kind === 'state') {
    if (message.state === 'live' && state === 'down') void client.invalidateQueries();
    setState(message.state);
  } else if (message.kind === 'reset') {
    void client.invalidateQueries();
  } else if (message.kind === 'denied') {
    void checkSession();
  } else if (message.event === 'clock') {
    takeServerTime((eventOf(message.data) as { now?: string } | undefined)?.now);
  } else {
    const event = eventOf(message.data);
    if (!event) return;
    invalidator.touch(event.type);
    if (event.case) invalidator.touch('Task');
    if (message.event === 'alert') alertListeners.forEach((tell) => tell(event));
  }
}

/** Follows the feed until the returned function is called (log-out). */
export function followEvents(client: QueryClient, who: string): () => void {
  const invalidator = new Invalidator(client);
  const take = (message: FeedMessage) => takeMessage(message, client, invalidator);
  if (typeof SharedWorker === 'undefined') return openFeed(take);
  const worker = new SharedWorker(new URL('./feed.worker.ts', import.meta.url), { type: 'module', name: 'menkou-feed' });
  worker.port.onmessage = (e: MessageEvent<FeedMessage>) => take(e.data);
  worker.port.start();
  worker.port.postMessage(`open ${who}`);
  const beat = setInterval(() => worker.port.postMessage('here'), 20_000);
  const leave = () => worker.port.postMessage('leave');
  window.addEventListener('pagehide', leave);
  return () => {
    clearInterval(beat);
    window.removeEventListener('pagehide', leave);
    leave();
    worker.port.close();
  };
}
