// The rooms this connection is in: joined and left by channel.

import { byId, element } from './dom.mjs';

export class Rooms {
    #connection;
    #rooms = new Map(); // room -> the channel by which it is left
    #asked = new Map(); // id of a request -> its channel

    constructor(connection) {
        this.#connection = connection;
        byId('join-form').addEventListener('submit', (event) => {
            event.preventDefault();
            const channel = byId('channel').value.trim();
            if (channel) this.#ask('subscribe', channel);
            byId('channel').value = '';
        });
    }

    #ask(type, channel) {
        if (!this.#connection.open) {
            this.#say('not connected');
            return;
        }
        this.#asked.set(this.#connection.send(type, { channel }), channel);
    }

    take(message) {
        this.#follow[message.type]?.(message.data ?? {}, message);
    }

    #follow = {
        auto_subscribed: (data) => {
            this.#rooms.clear();
            for (const room of this.#list(data.rooms)) this.#rooms.set(room, room);
            this.#render();
        },
        subscribed: (data, message) => {
            for (const room of this.#list(data.rooms)) this.#rooms.set(room, room);
            if (this.#settle(message)) this.#connection.channels.add(String(data.channel));
            this.#say(`joined ${data.channel}`);
            this.#render();
        },
        unsubscribed: (data, message) => {
            const asked = this.#settle(message);
            this.#rooms.delete(String(data.channel));
            this.#connection.channels.delete(String(data.channel));
            this.#say(data.reason ? `left ${data.channel}: ${data.reason}` : `left ${data.channel}`);
            if (asked) this.#connection.send('get_rooms', {}); // a channel may stand for several rooms
            this.#render();
        },
        rooms: (data) => {
            this.#rooms = new Map(this.#list(data.rooms).map((room) => [room, room]));
            this.#render();
        },
        error: (data, message) => {
            const channel = this.#settle(message);
            if (channel) this.#say(`${channel}: ${data.message} (${data.code})`);
        },
    };

    #list = (rooms) => (Array.isArray(rooms) ? rooms.map(String) : []);

    #settle(message) {
        const channel = this.#asked.get(message.ref);
        this.#asked.delete(message.ref);
        return channel;
    }

    #say(text) {
        byId('room-answer').textContent = text;
    }

    #render() {
        byId('room-list').replaceChildren(...[...this.#rooms.keys()].sort().map((room) => {
            const leave = element('button', { type: 'button', ariaLabel: `Leave ${room}` }, '×');
            leave.addEventListener('click', () => this.#ask('unsubscribe', room));
            return element('li', {}, element('span', {}, room), leave);
        }));
    }
}
