// The messages of the WebSocket endpoint as an AsyncAPI 3 document.

import { schemaOf } from './schema.mjs';

const envelope = (type, data, extra = {}) => ({
    type: 'object',
    required: ['type', ...(extra.required ?? [])],
    properties: {
        id: { type: 'string', description: extra.id ?? 'unique' },
        type: { const: type },
        timestamp: { type: 'number', description: 'ms since the epoch' },
        ref: { type: 'string', description: 'the id of the client message that this answers' },
        data: schemaOf(data),
        ...(extra.properties ?? {}),
    },
});

function message(name, type, entry, extra) {
    return {
        name,
        title: type,
        summary: entry.says,
        contentType: 'application/json',
        payload: envelope(type, entry.data, extra),
        examples: [{ name: 'example', payload: { id: 'm-1', type, timestamp: 1795273200000, data: entry.example } }],
    };
}

export function asyncApi(tables, { clientMessages, serverMessages, events }) {
    const fromServer = { required: ['id', 'timestamp', 'data'] };
    const fromKafka = { ...fromServer, id: 'topic:partition:offset, the same on every host', properties: { sourceId: {}, snapshot: { const: true } } };
    const groups = {
        client: Object.entries(clientMessages).map(([type, entry]) => [`client_${type}`, message(`client_${type}`, type, entry, {})]),
        server: Object.entries(serverMessages).map(([type, entry]) => [`server_${type}`, message(`server_${type}`, type, entry, fromServer)]),
        event: Object.entries(events).map(([type, entry]) => [`event_${type}`, message(`event_${type}`, type, entry, fromKafka)]),
    };
    const all = Object.values(groups).flat();
    const refer = (rows) => rows.map(([key]) => ({ $ref: `#/channels/gateway/messages/${key}` }));
    return {
        asyncapi: '3.0.0',
        info: {
            title: 'MoonX Gateway',
            version: tables.version,
            description: 'Real-time events for authenticated clients in rooms. Text messages of JSON over one WebSocket.',
        },
        defaultContentType: 'application/json',
        channels: {
            gateway: {
                address: '/ws',
                title: 'The WebSocket endpoint',
                messages: Object.fromEntries(all.map(([key]) => [key, { $ref: `#/components/messages/${key}` }])),
                bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
            },
        },
        operations: {
            receive: { action: 'receive', channel: { $ref: '#/channels/gateway' }, summary: 'What clients send', messages: refer(groups.client) },
            reply: { action: 'send', channel: { $ref: '#/channels/gateway' }, summary: 'What the gateway answers and tells', messages: refer(groups.server) },
            events: { action: 'send', channel: { $ref: '#/channels/gateway' }, summary: 'Events from Kafka', messages: refer(groups.event) },
        },
        components: { messages: Object.fromEntries(all) },
    };
}
