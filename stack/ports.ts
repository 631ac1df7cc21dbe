/**
 * Free ports on the loopback address: the ones used last time when they are still free, otherwise random ones.
 *
 * They are taken from below the range that systems lend to outgoing connections (32768 on Linux, 49152 elsewhere). Inside
 * that range a client that keeps knocking at a stopped server's port may be lent this very port, connect to itself, and
 * keep the server from ever coming back.
 */
import { createServer, type Server } from 'node:net';
import { TransientError } from '../core/errors.ts';

export const host = '127.0.0.1';

const firstPort = 20_000;
const lastPort = 31_999;
const attemptsMax = 50;

/** All ports are held at once while choosing, so that no two names get the same one. */
export async function choosePorts(
  names: readonly string[],
  preferred: Readonly<Record<string, number>>,
): Promise<Record<string, number>> {
  const held: Server[] = [];
  const ports: Record<string, number> = {};
  try {
    for (const name of names) {
      const [server, port] = await holdPort(preferred[name]);
      held.push(server);
      ports[name] = port;
    }
    return ports;
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

async function holdPort(preferred: number | undefined): Promise<[Server, number]> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const random = firstPort + Math.floor(Math.random() * (lastPort - firstPort + 1));
    const port = attempt === 0 ? (preferred ?? random) : random;
    const server = await tryListen(port);
    if (server !== null) return [server, port];
  }
  throw new TransientError({
    code: 'STACK_NO_PORT',
    message: `no free port found in ${attemptsMax} attempts`,
    where: `${host} ports ${firstPort} to ${lastPort}`,
    hint: 'see what listens there: ss -tln',
  });
}

function tryListen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen({ port, host, exclusive: true }, () => resolve(server));
  });
}
