/**
 * One metadata request, spoken by hand: a broker answers it with itself in the list only once it is registered and takes
 * requests. Thirty lines keep the Kafka client where it belongs, behind `core/ports.ts`.
 */
import { connect } from 'node:net';

const metadataKey = 3;
const metadataVersion = 1;
const correlationId = 1;

export async function probeBroker(host: string, port: number, timeoutMs: number): Promise<void> {
  const response = await exchange(host, port, metadataRequest(), timeoutMs);
  const brokers = response.readInt32BE(4);
  if (brokers < 1) throw new Error('no broker is registered yet');
}

function metadataRequest(): Buffer {
  const clientId = Buffer.from('seam-stack-probe');
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + clientId.length + 4);
  let at = request.writeInt32BE(request.length - 4, 0);
  at = request.writeInt16BE(metadataKey, at);
  at = request.writeInt16BE(metadataVersion, at);
  at = request.writeInt32BE(correlationId, at);
  at = request.writeInt16BE(clientId.length, at);
  at += clientId.copy(request, at);
  // An empty list of topics: only the brokers are of interest.
  request.writeInt32BE(0, at);
  return request;
}

/** Resolves with the response without its length: correlation id, then the body. */
function exchange(host: string, port: number, request: Buffer, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const socket = connect({ host, port });
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(timeoutMs, () => fail(new Error(`no answer within ${timeoutMs} ms`)));
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the broker closed the connection')));
    socket.on('connect', () => socket.write(request));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 8 || received.length < 4 + received.readInt32BE(0)) return;
      resolve(received.subarray(4));
      socket.destroy();
    });
  });
}
