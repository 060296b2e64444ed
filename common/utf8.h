/* Reading UTF-8 strictly (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). Pure function,
 * used by json and log of every process. */
#ifndef MOONX_COMMON_UTF8_H
#define MOONX_COMMON_UTF8_H

#include "common/base.h"

#define UTF8_REPLACEMENT 0xfffdu /* stands where bytes were no UTF-8 */

/* Length (1-4) of the character at the start of `text`, its number in *code_point; 0 when what stands
 * there is none, or `text` is empty or ends within it. */
unsigned utf8_decode(struct span text, uint32_t *code_point);

/* Writes `code_point`, which must be a valid one, to `to` (room for 4 bytes). Returns the length. */
unsigned utf8_encode(uint32_t code_point, char *to);

#endif
