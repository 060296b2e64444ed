/* How moonx-client shows a message: one line each, on a terminal short and coloured, else the JSON as it
 * came. Nothing a server sends can move the cursor or make a second line. */
#ifndef MOONX_GATEWAY_CLIENT_PRINT_H
#define MOONX_GATEWAY_CLIENT_PRINT_H

#include "common/base.h"

#include <stdio.h>

enum print_style { PRINT_NOTHING, PRINT_JSON, PRINT_SHORT };

/* The members of an envelope (PROTOCOL 2) as their own bytes; empty where absent. */
struct print_envelope {
    struct span id, type, timestamp, data;
    bool snapshot; /* a value from before the room was joined */
};

/* False when the text is no JSON object with a type. */
bool print_read_envelope(struct span text, struct print_envelope *out);

/* An id of the form topic:partition:offset, and no snapshot: the message has just come from Kafka. */
bool print_is_event(const struct print_envelope *envelope);

/* `columns`: width of the terminal, 0: unlimited. `envelope` NULL: the text could not be read as one. */
void print_message(FILE *out, enum print_style style, unsigned columns, struct span text,
                   const struct print_envelope *envelope);

/* Control characters (C0, DEL, and C1 as UTF-8) become blanks: in JSON text raw ones are nothing but space
 * between tokens. Text past `columns` characters is cut and ends in an ellipsis. */
void print_clean(FILE *out, struct span text, size_t columns);

#endif
