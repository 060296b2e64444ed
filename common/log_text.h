/* Makes any bytes harmless inside one log line. Used by log.c only; apart from it so that it can be
 * tested byte by byte without a stderr. Pure function. */
#ifndef MOONX_COMMON_LOG_TEXT_H
#define MOONX_COMMON_LOG_TEXT_H

#include "common/base.h"

#define LOG_TEXT_MOST 6 /* bytes that one byte of text becomes at most */

enum log_text_form {
    LOG_TEXT_JSON,     /* the inside of a JSON string: quotes are escaped too */
    LOG_TEXT_TERMINAL, /* as JSON, but quotes stay as they are, so that commands can be copied */
};

/* Escapes backslash, control characters (C0, DEL, C1), line and paragraph separators, and what turns the
 * direction of text or can't be seen; bad UTF-8 becomes \ufffd. What does not fit is cut between two
 * characters and ends in "...". NUL-terminated when size > 0; returns the length without the NUL. */
size_t log_text_escape(struct span text, enum log_text_form form, char *buffer, size_t size);

#endif
