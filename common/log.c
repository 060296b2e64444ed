#include "common/log.h"

#include "common/clock.h"
#include "common/log_text.h"

#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES    4096 /* PIPE_BUF: a pipe takes such a line whole or not at all */
#define PROCESS_BYTES 32

static struct {
    char process[PROCESS_BYTES];
    _Atomic int level;
    enum log_format format;
    _Atomic uint64_t lost;          /* lines, since the start */
    _Atomic uint64_t lost_unspoken; /* of these, not yet told by a line */
    _Atomic bool broken;            /* stderr may end in a part of a line */
} logger = {.process = "moonx", .level = LOG_LEVEL_INFO, .format = LOG_FORMAT_JSON};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static void tell_losses(void);
static bool write_message(enum log_level level, uint64_t connection, struct span message);
static size_t make_line(enum log_level level, uint64_t connection, struct span message, char *line);
static bool write_line(const char *line, size_t length);

void log_init(const char *process, enum log_level level, enum log_format format) {
    snprintf(logger.process, sizeof(logger.process), "%s", process);
    logger.format = format;
    log_set_level(level);
}

void log_init_words(const char *process, const char *level, const char *format) {
    log_init(process, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_set_words(level, format);
}

void log_set_words(const char *level, const char *format) {
    int found = log_level_of(level);

    logger.format = strcmp(format, "text") == 0 ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
    log_set_level(found < 0 ? LOG_LEVEL_INFO : (enum log_level)found);
}

int log_level_of(const char *word) {
    for (unsigned i = 0; i < ARRAY_LENGTH(level_names); i++) {
        if (strcmp(word, level_names[i]) == 0) {
            return (int)i;
        }
    }
    return -EINVAL;
}

void log_set_level(enum log_level level) {
    atomic_store_explicit(&logger.level, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level) {
    return (int)level <= atomic_load_explicit(&logger.level, memory_order_relaxed);
}

uint64_t log_lost(void) {
    return atomic_load_explicit(&logger.lost, memory_order_relaxed);
}

void log_write(enum log_level level, uint64_t connection, const char *format, ...) {
    char message[LINE_BYTES];
    va_list arguments;
    int length;
    int saved_errno = errno;

    if (!log_enabled(level)) {
        return;
    }
    va_start(arguments, format);
    length = vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    if (length < 0) {
        length = 0;
    } else if (length >= (int)sizeof(message)) {
        length = sizeof(message) - 1;
    }
    tell_losses();
    if (!write_message(level, connection, (struct span){message, (size_t)length})) {
        atomic_fetch_add_explicit(&logger.lost, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&logger.lost_unspoken, 1, memory_order_relaxed);
    }
    errno = saved_errno;
}

bool log_rate_allow(struct log_rate *rate) {
    uint64_t now_s = clock_mono_ms() / 1000;

    if (rate->window_s != now_s) {
        rate->window_s = now_s;
        rate->written = 0;
    }
    if (rate->written >= rate->per_second) {
        rate->suppressed++;
        return false;
    }
    rate->written++;
    rate->left_out[0] = '\0';
    if (rate->suppressed > 0) {
        (void)snprintf(rate->left_out, sizeof(rate->left_out), " (%llu such line%s left out)",
                       (unsigned long long)rate->suppressed, rate->suppressed == 1 ? "" : "s");
    }
    rate->suppressed = 0;
    return true;
}

/* Whoever reads the log must see that lines are missing, at the place where they are. */
static void tell_losses(void) {
    char message[64];
    uint64_t count = atomic_exchange_explicit(&logger.lost_unspoken, 0, memory_order_relaxed);
    int length;

    if (count == 0) {
        return;
    }
    length = snprintf(message, sizeof(message), "%llu log lines lost: stderr was full",
                      (unsigned long long)count);
    if (!write_message(LOG_LEVEL_WARN, 0, (struct span){message, (size_t)length})) {
        atomic_fetch_add_explicit(&logger.lost_unspoken, count, memory_order_relaxed);
    }
}

static bool write_message(enum log_level level, uint64_t connection, struct span message) {
    char line[LINE_BYTES];
    size_t length = make_line(level, connection, message, line);

    return write_line(line, length);
}

static size_t make_json_head(char *line, enum log_level level, uint64_t connection,
                             int64_t wall_ms) {
    char process[PROCESS_BYTES * LOG_TEXT_MOST];
    char id[40] = "";
    struct tm utc;
    time_t seconds = (time_t)(wall_ms / 1000);

    gmtime_r(&seconds, &utc);
    if (connection != 0) {
        snprintf(id, sizeof(id), "\"connection\":\"c%016llx\",", (unsigned long long)connection);
    }
    log_text_escape(span_of(logger.process), LOG_TEXT_JSON, process, sizeof(process));
    return (size_t)snprintf(
        line, LINE_BYTES,
        "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\",\"level\":\"%s\",\"process\":\"%s\","
        "\"pid\":%d,%s\"message\":\"",
        utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
        (int)(wall_ms % 1000), level_names[level], process, (int)getpid(), id);
}

static size_t make_text_head(char *line, enum log_level level, uint64_t connection,
                             int64_t wall_ms) {
    char process[PROCESS_BYTES * LOG_TEXT_MOST];
    char id[24] = "";
    struct tm local;
    time_t seconds = (time_t)(wall_ms / 1000);

    localtime_r(&seconds, &local);
    if (connection != 0) {
        snprintf(id, sizeof(id), "c%016llx  ", (unsigned long long)connection);
    }
    log_text_escape(span_of(logger.process), LOG_TEXT_TERMINAL, process, sizeof(process));
    return (size_t)snprintf(line, LINE_BYTES, "%02d:%02d:%02d.%03d %-5s %s  %s", local.tm_hour,
                            local.tm_min, local.tm_sec, (int)(wall_ms % 1000), level_names[level],
                            process, id);
}

static size_t make_line(enum log_level level, uint64_t connection, struct span message,
                        char *line) {
    bool json = logger.format == LOG_FORMAT_JSON;
    int64_t wall_ms = clock_wall_ms();
    const char *tail = json ? "\"}\n" : "\n";
    size_t tail_length = strlen(tail);
    size_t length = json ? make_json_head(line, level, connection, wall_ms)
                         : make_text_head(line, level, connection, wall_ms);

    length += log_text_escape(message, json ? LOG_TEXT_JSON : LOG_TEXT_TERMINAL, line + length,
                              LINE_BYTES - length - tail_length);
    for (; *tail != 0; tail++) {
        line[length++] = *tail;
    }
    return length;
}

/* One write that does not wait, by whatever stderr is: a socket and a pipe have a call for that; others
 * are asked first. O_NONBLOCK would do for all, but stderr is shared with who started us. */
static ssize_t write_now(const char *line, size_t length) {
    struct iovec piece = {(void *)(uintptr_t)line, length};
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t written = send(STDERR_FILENO, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    struct stat status;

    if (written >= 0 || errno != ENOTSOCK) {
        return written;
    }
    if (fstat(STDERR_FILENO, &status) == 0 && S_ISFIFO(status.st_mode)) {
        written = pwritev2(STDERR_FILENO, &piece, 1, -1, RWF_NOWAIT);
        if (written >= 0 || errno == EAGAIN || errno == EPIPE) {
            return written;
        }
    }
    if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return write(STDERR_FILENO, line, length);
}

/* A file that could not grow holds part of a line: of this process's, or of another one's that writes to it too. */
static bool leaves_a_part(ssize_t written, size_t length) {
    return written < 0 ? errno == ENOSPC || errno == EFBIG || errno == EDQUOT
                       : written > 0 && (size_t)written < length;
}

static bool write_line(const char *line, size_t length) {
    ssize_t written;

    if (atomic_load_explicit(&logger.broken, memory_order_relaxed)) {
        if (write_now("\n", 1) != 1) {
            return false;
        }
        atomic_store_explicit(&logger.broken, false, memory_order_relaxed);
    }
    written = write_now(line, length);
    if (leaves_a_part(written, length)) {
        atomic_store_explicit(&logger.broken, true, memory_order_relaxed);
    }
    return written == (ssize_t)length;
}
