/* How moonx-client shows a message: one line each, on a terminal short and coloured, else the JSON as it
 * came. Nothing a server sends can move the cursor or make a second line. */
#ifndef MOONX_GATEWAY_CLIENT_PRINT_H
#define MOONX_GATEWAY_CLIENT_PRINT_H

#include "gateway/client/envelope.h"

#include <stdio.h>

enum print_style { PRINT_NOTHING, PRINT_JSON, PRINT_SHORT };

/* `columns`: width of the terminal, 0: unlimited. `envelope` NULL: the text could not be read as one. `answers`: what it
 * is the answer to, shown in the short style; NULL: nothing. */
void print_message(FILE *out, enum print_style style, unsigned columns, struct span text,
                   const struct envelope *envelope, const char *answers);

/* Control characters (C0, DEL, and C1 as UTF-8) become blanks: in JSON text raw ones are nothing but space
 * between tokens. Text past `columns` characters is cut and ends in an ellipsis. */
void print_clean(FILE *out, struct span text, size_t columns);

#endif
