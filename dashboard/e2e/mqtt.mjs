// As much of MQTT 3.1.1 as a device needs to publish: CONNECT, PUBLISH with QoS 1, and the answer to each.
import { connect } from 'node:net';

const text = (s) => { const b = Buffer.from(s); return Buffer.concat([Buffer.from([b.length >> 8, b.length & 255]), b]); };
function packet(head, ...parts) {
  const body = Buffer.concat(parts), length = [];
  let n = body.length;
  do { length.push((n % 128) | (n > 127 ? 128 : 0)); n = Math.floor(n / 128); } while (n > 0);
  return Buffer.concat([Buffer.from([head, ...length]), body]);
}

/** publish sends messages one after the other; it returns when the last is acknowledged. */
export function publish({ host, port, username, password, topic }, messages) {
  return new Promise((done, fail) => {
    const socket = connect(port, host);
    const timer = setTimeout(() => { socket.destroy(); fail(new Error('MQTT: no answer within 20 s')); }, 20000);
    let next = 0, rest = Buffer.alloc(0);
    const end = (err) => { clearTimeout(timer); socket.destroy(); if (err) fail(err); else done(); };
    const send = () => { if (next === messages.length) { end(); return; } next++; socket.write(packet(0x32, text(topic), Buffer.from([0, next]), Buffer.from(messages[next - 1]))); };
    socket.on('error', end);
    socket.on('connect', () => socket.write(packet(0x10, text('MQTT'), Buffer.from([4, 0xc2, 0, 60]), text(username), text(username), text(password))));
    socket.on('data', (d) => {
      rest = Buffer.concat([rest, d]);
      while (rest.length >= 2 && rest.length >= 2 + rest[1]) {
        const kind = rest[0] >> 4, body = rest.subarray(2, 2 + rest[1]);
        rest = rest.subarray(2 + rest[1]);
        if (kind === 2) { if (body[1]) { end(new Error(`MQTT: refused, ${body[1]}`)); return; } send(); }
        if (kind === 4) send();
      }
    });
  });
}

/** A Device stays connected and publishes with QoS 1 without waiting for the answer. */
export class Device {
  #socket; #id = 0;
  constructor(of) { this.of = of; }

  open() {
    const { host, port, username, password } = this.of;
    return new Promise((done, fail) => {
      this.#socket = connect(port, host);
      this.#socket.setNoDelay(true);
      this.#socket.once('error', fail);
      this.#socket.on('connect', () => this.#socket.write(packet(0x10, text('MQTT'), Buffer.from([4, 0xc2, 0, 0]), text(username), text(username), text(password))));
      this.#socket.once('data', (d) => { if (d[3]) fail(new Error(`MQTT: refused, ${d[3]}`)); else done(); });
      this.#socket.on('data', () => undefined); // answers
    });
  }

  publish(message) {
    this.#id = (this.#id % 65535) + 1;
    this.#socket.write(packet(0x32, text(this.of.topic), Buffer.from([this.#id >> 8, this.#id & 255]), Buffer.from(message)));
  }

  close() { this.#socket.destroy(); }
}
