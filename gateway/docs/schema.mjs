// Fields as protocol.mjs writes them ('TYPE! TEXT'), as JSON Schema, and whether an example fits.

const TYPES = {
    string: { type: 'string' },
    integer: { type: 'integer' },
    number: { type: 'number' },
    boolean: { type: 'boolean' },
    object: { type: 'object' },
    any: {},
    'string[]': { type: 'array', items: { type: 'string' } },
};

function typeOf(word) {
    if (TYPES[word]) return TYPES[word];
    if (/^[a-zA-Z_]+(\|[a-zA-Z_]+)+$/.test(word)) return { type: 'string', enum: word.split('|') };
    throw new Error(`"${word}" is no type of field`);
}

/** [{name, required, words, schema, text}] */
export function fieldsOf(data) {
    return Object.entries(data).map(([name, line]) => {
        const [, word, mark, text] = /^([^ !]+)(!?) ?(.*)$/.exec(line) ?? [];
        const schema = typeOf(word ?? line);
        return { name, required: mark === '!', word, schema: text ? { ...schema, description: text } : schema, text };
    });
}

/** An example as people read it: an array of plain values stands on one line. */
export const pretty = (value) => JSON.stringify(value, null, 2)
    .replace(/\[\s+([^[\]{}]*?)\s+\]/g, (_, items) => `[${items.replace(/,\s+/g, ', ')}]`);

export function schemaOf(data) {
    const fields = fieldsOf(data);
    const required = fields.filter((field) => field.required).map((field) => field.name);
    return {
        type: 'object',
        properties: Object.fromEntries(fields.map((field) => [field.name, field.schema])),
        ...(required.length > 0 ? { required } : {}),
    };
}

const CHECKS = {
    string: (value) => typeof value === 'string',
    integer: Number.isInteger,
    number: (value) => typeof value === 'number',
    boolean: (value) => typeof value === 'boolean',
    object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    array: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
};

/** What is wrong with the example, or undefined. `open`: other fields may come too. */
export function misfit(fields, example, open) {
    for (const { name, required, schema } of fields) {
        const value = example[name];
        if (value === undefined) {
            if (required) return `${name} is missing`;
        } else if (schema.type && !CHECKS[schema.type](value)) {
            return `${name} is no ${schema.type}`;
        } else if (schema.enum && !schema.enum.includes(value)) {
            return `${name} is none of ${schema.enum.join(', ')}`;
        }
    }
    const strange = open ? undefined : Object.keys(example).find((name) => !fields.some((field) => field.name === name));
    return strange && `${strange} is not described`;
}
