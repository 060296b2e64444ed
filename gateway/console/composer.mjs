// A message of each kind to send, and its answer.

import { byId, element, fill } from './dom.mjs';
import { TEMPLATES } from './templates.mjs'; // made from the documentation's examples

export class Composer {
    #connection;
    #waiting = new Set();

    constructor(connection) {
        this.#connection = connection;
        const select = byId('template');
        select.append(...TEMPLATES.map(([type]) => element('option', { value: type }, type)));
        select.value = 'ping';
        select.addEventListener('change', () => this.#fill());
        byId('composer-form').addEventListener('submit', (event) => {
            event.preventDefault();
            this.#send();
        });
        this.#fill();
    }

    #fill() {
        const [type, data] = TEMPLATES.find(([name]) => name === byId('template').value);
        const known = type === 'resume' && this.#connection.position.value ? { position: this.#connection.position.value } : data;
        fill(byId('message'), JSON.stringify({ type, data: known }, null, 2));
    }

    #send() {
        if (!this.#connection.open) {
            this.#say('not connected');
            return;
        }
        let message;
        try {
            message = JSON.parse(byId('message').value);
        } catch (error) {
            this.#say(`This is no JSON: ${error.message}`);
            return;
        }
        if (typeof message !== 'object' || message === null || Array.isArray(message)) {
            this.#say('A message is a JSON object: {"type": …, "data": …}');
            return;
        }
        message.id ??= `composed-${crypto.randomUUID?.() ?? Math.random()}`;
        this.#waiting.clear();
        this.#waiting.add(message.id);
        this.#say('Sent; no answer yet.'); // typing has none
        this.#connection.sendText(JSON.stringify(message));
    }

    take(message) {
        if (message.ref !== undefined && this.#waiting.delete(message.ref)) {
            this.#say(JSON.stringify(message, null, 2));
        }
    }

    #say(text) {
        byId('answer-title').hidden = false;
        byId('answer').textContent = text;
    }
}
