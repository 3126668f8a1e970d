/**
 * One feed for all tabs of this browser. A tab says `open WHO` when it is logged in, `here` every 20 s and `leave` when it
 * goes. The line is closed when nobody is left and opened anew for another person or post, who may see other things.
 */
import { openFeed, type FeedMessage } from './feed.ts';

interface WorkerScope { onconnect: ((e: MessageEvent) => void) | null }

const SILENT_MS = 65_000;
const ports = new Map<MessagePort, number>();
let close: (() => void) | undefined;
let who = '';
let last: FeedMessage = { kind: 'state', state: 'connecting' };

function tellAll(message: FeedMessage): void {
  if (message.kind === 'state') last = message;
  for (const port of ports.keys()) port.postMessage(message);
}

function drop(port: MessagePort): void {
  ports.delete(port);
  if (ports.size > 0) return;
  close?.();
  close = undefined;
}

function take(port: MessagePort, word: string): void {
  if (word === 'leave') {
    drop(port);
    return;
  }
  ports.set(port, Date.now());
  const asked = word.startsWith('open ') ? word.slice(5) : who;
  if (close && asked !== who) {
    close();
    close = undefined;
  }
  who = asked;
  if (!close) close = openFeed(tellAll);
  else if (word !== 'here') port.postMessage(last);
}

(self as unknown as WorkerScope).onconnect = (e) => {
  const port = e.ports[0];
  port.onmessage = (m: MessageEvent<string>) => take(port, m.data);
  port.start();
};

setInterval(() => {
  const now = Date.now();
  for (const [port, seen] of ports) if (now - seen > SILENT_MS) drop(port);
}, 20_000);
