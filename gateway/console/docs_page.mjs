// "Try it" on /docs: sends a message to the running gateway and shows what comes back.

import { Connection } from './connection.mjs';
import { byId, fill } from './dom.mjs';
import { findToken, keepToken, socketUrl } from './session.mjs';
import { TEMPLATES } from './templates.mjs';

let connection = null;
let waiting = null; // {id, text} of the message that was sent, or is to be sent once connected

const say = (text) => {
    byId('try-answer').textContent = text;
};

function flush() {
    if (waiting && connection.open) connection.sendText(waiting.text);
}

function connect(token) {
    connection = new Connection(socketUrl());
    connection.addEventListener('state', ({ detail: { state, text } }) => {
        if (state === 'live') flush();
        else say(text);
    });
    connection.addEventListener('message', ({ detail: { message } }) => {
        if (waiting && message?.ref === waiting.id) {
            waiting = null;
            say(JSON.stringify(message, null, 2));
        }
    });
    connection.start(token);
}

async function send() {
    let message;
    try {
        message = JSON.parse(byId('try-message').value);
    } catch (error) {
        say(`This is no JSON: ${error.message}`);
        return;
    }
    message.id ??= `try-${Date.now()}`;
    waiting = { id: message.id, text: JSON.stringify(message) };
    if (connection?.open) {
        flush();
        return;
    }
    const token = byId('try-token').value.trim() || await findToken().catch(() => undefined);
    if (!token) {
        say('A token is needed: moonx-gateway token --user YOUR_ID');
        return;
    }
    keepToken(token);
    connect(token);
}

for (const button of document.querySelectorAll('button.try')) {
    button.hidden = false;
    button.addEventListener('click', () => {
        const [type, data] = TEMPLATES.find(([name]) => name === button.dataset.type);
        fill(byId('try-message'), JSON.stringify({ type, data }, null, 2));
        say('');
        byId('try').showModal();
    });
}
byId('try-form').addEventListener('submit', (event) => {
    event.preventDefault();
    send();
});
byId('try-close').addEventListener('click', () => byId('try').close());
