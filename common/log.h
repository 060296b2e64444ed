/* Log lines to stderr, one line each: JSON (`{"time","level","process","pid","connection"?,"message"}`)
 * or text for a terminal. Control and invisible characters, bad UTF-8 and (in JSON) quotes in the message
 * are escaped, so no client or Kafka value can forge a line. Any thread may write. A line is one write(2)
 * of at most 4096 bytes; it is dropped and counted rather than waited for when stderr is full. shm/ and
 * common/ never log, their callers do.
 * Secrets: never pass `struct secret` contents here. */
#ifndef MOONX_COMMON_LOG_H
#define MOONX_COMMON_LOG_H

#include "common/base.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_JSON, LOG_FORMAT_TEXT };

/* process: "supervisor", "ingest", "worker-3": copied. */
void log_init(const char *process, enum log_level level, enum log_format format);
/* The same from the words of LOG_LEVEL and LOG_FORMAT; unknown ones count as info and json. */
void log_init_words(const char *process, const char *level, const char *format);
/* Another level and form from now on, from the same words; while no other thread writes. */
void log_set_words(const char *level, const char *format);
void log_set_level(enum log_level level);
/* The level of that word, -EINVAL for another. */
int log_level_of(const char *word);
bool log_enabled(enum log_level level);
/* Lines dropped since the start. The next line that gets through is preceded by one that tells of them. */
uint64_t log_lost(void);

/* connection: id of the client connection concerned, 0 for none. */
void log_write(enum log_level level, uint64_t connection, const char *format, ...)
    PRINTF_LIKE(3, 4);

#define log_error(...) log_write(LOG_LEVEL_ERROR, 0, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, 0, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, 0, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, 0, __VA_ARGS__)

/* At most `per_second` lines a second from one place: `static struct log_rate rate = {.per_second = 5};`
 * True when a line may be written, at the end of which `left_out` belongs: how many were not since the last. */
struct log_rate {
    unsigned per_second;
    unsigned written;
    uint64_t window_s;
    uint64_t suppressed;
    char left_out[48]; /* "" or " (3 such lines left out)" */
};
bool log_rate_allow(struct log_rate *rate);

#endif
