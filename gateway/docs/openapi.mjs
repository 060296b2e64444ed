// The HTTP side as an OpenAPI 3.1 document.

import { schemaOf } from './schema.mjs';

const error = {
    description: 'Refused',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
};
const named = (description) => ({ ...error, description });

function operation(path, entry, admin) {
    const responses = {};
    if (path !== '/ws') {
        responses[200] = { description: 'OK', content: { [entry.type]: { schema: entry.type === 'application/json' ? { type: 'object' } : { type: 'string' } } } };
    }
    for (const [status, text] of Object.entries(entry.responses ?? {})) {
        responses[status] = status < 400 ? { description: text } : named(text);
    }
    if (admin) responses[403] = named('For administrators only');
    if (entry.post) responses[400] = named('No JSON, or a field is missing or wrong');
    return {
        summary: entry.says,
        operationId: `${entry.post ? 'post' : 'get'}${path.replace(/[^a-z]+(.)?/g, (_, letter) => (letter ?? '').toUpperCase()) || 'Root'}`,
        tags: [admin ? 'administrators' : 'everybody'],
        ...(admin ? { security: [{ adminToken: [] }, {}] } : { security: [] }),
        ...(entry.post ? { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(entry.post) } } } } : {}),
        responses,
    };
}

export function openApi(tables, { paths, administrators }) {
    const admin = new Set(tables.paths.filter((row) => row.admin).map((row) => row.name));
    return {
        openapi: '3.1.0',
        info: { title: 'MoonX Gateway', version: tables.version, description: 'The HTTP side of the gateway\'s port.', license: { name: 'MIT', identifier: 'MIT' } },
        servers: [{ url: '/' }],
        tags: [{ name: 'everybody' }, { name: 'administrators', description: administrators }],
        paths: Object.fromEntries(Object.entries(paths).map(([path, entry]) => [path, { [entry.post ? 'post' : 'get']: operation(path, entry, admin.has(path)) }])),
        components: {
            securitySchemes: { adminToken: { type: 'http', scheme: 'bearer' } },
            schemas: {
                Error: {
                    type: 'object',
                    required: ['error'],
                    properties: { error: { type: 'object', required: ['code', 'message'], properties: { code: { type: 'string' }, message: { type: 'string' } } } },
                },
            },
        },
    };
}
