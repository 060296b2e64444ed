// npm install ws; MOONX_TOKEN=… node node.mjs
import WebSocket from 'ws';

const url = process.env.MOONX_URL ?? 'ws://127.0.0.1:3008/ws';
let position; // how far we have come: sent along after a break, so that nothing is missed

function connect() {
  const socket = new WebSocket(url);
  let waitMs = 1000;
  socket.on('message', (bytes) => {
    const { type, data, id } = JSON.parse(bytes);
    if (type === 'auth_required') {
      const resume = position && { resume: position };
      socket.send(JSON.stringify({ type: 'authenticate', data: { token: process.env.MOONX_TOKEN, ...resume } }));
    } else if (type === 'reconnect') {
      waitMs = data.afterMs;
    } else {
      console.log(type, JSON.stringify(data));
    }
    if (data.position) position = data.position;
    const [, topic, partition, offset] = /^(.+):(\d+):(\d+)$/.exec(id) ?? [];
    if (position?.topics[topic]) position.topics[topic][partition] = Number(offset);
  });
  socket.on('close', () => setTimeout(connect, waitMs));
  socket.on('error', (error) => console.error(error.message));
}

connect();
