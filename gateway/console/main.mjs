// The console: signs in, and hands each message to the parts of the page.

import { Composer } from './composer.mjs';
import { Connection } from './connection.mjs';
import { byId } from './dom.mjs';
import { Figures } from './figures.mjs';
import { Prices } from './prices.mjs';
import { Rooms } from './rooms.mjs';
import { findToken, forgetToken, keepToken, socketUrl } from './session.mjs';
import { Stream } from './stream.mjs';

const connection = new Connection(socketUrl());
const stream = new Stream();
const figures = new Figures();
const parts = [new Prices(), new Rooms(connection), new Composer(connection), figures];

function showState({ state, text, user }) {
    byId('state').dataset.state = state;
    byId('state').textContent = text;
    if (user) byId('who').textContent = `${user.id}${user.email ? `, ${user.email}` : ''}`;
    if (state === 'wait') byId('notice').hidden = true; // it was about the connection before
    byId('sign-out').hidden = state === 'off' || state === 'refused';
    if (state === 'refused' || state === 'off') {
        forgetToken();
        byId('who').textContent = '';
        byId('sign-in').hidden = false;
    }
}

function notice(text) {
    byId('notice').hidden = false;
    byId('notice').textContent = text;
}

function showMissed({ recovered, count, reason }) {
    if (recovered) {
        notice(`Back again: ${count === 0 ? 'nothing was missed' : `${count} missed message${count === 1 ? '' : 's'} came after all`}.`);
    } else {
        notice(`Back again, but what was missed can't be had (${reason}): from here on it is live.`);
    }
}

function signIn(token) {
    byId('sign-in').hidden = true;
    connection.start(token);
}

connection.addEventListener('state', (event) => showState(event.detail));
connection.addEventListener('missed', (event) => showMissed(event.detail));
connection.addEventListener('clock', (event) => figures.clock.take(event.detail));
connection.addEventListener('message', ({ detail: { message, raw } }) => {
    stream.take(message, raw);
    if (message) {
        for (const part of parts) part.take(message);
    }
});

byId('token-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const token = byId('token').value.trim();
    byId('token').value = '';
    keepToken(token);
    signIn(token);
});
byId('sign-out').addEventListener('click', () => connection.stop());

const token = await findToken().catch(() => undefined);
if (token) signIn(token);
else byId('sign-in').hidden = false;
