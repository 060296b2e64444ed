#include "gateway/connection/conn_tls.h"

#include "common/clock.h"
#include "common/log.h"
#include "gateway/access/middleware.h"
#include "gateway/connection/conn_head.h"
#include "gateway/connection/conn_poll.h"
#include "gateway/connection/conn_timers.h"

#include <openssl/err.h>
#include <stdlib.h>

/* Of one turn, for handshakes: some ten signatures with P-256, one with RSA; a slice of writes takes 0.2 ms. */
#define TURN_BUDGET_NS    500000u
#define FIRST_CAPACITY    1024u
#define CONTENT_HANDSHAKE 0x16 /* the first byte of a ClientHello's record */

/* One session. */
struct conn_tls_entry {
    SSL *ssl;
    uint32_t pending; /* plain bytes of a record that the socket has not taken whole; 0: none */
    bool open;        /* the handshake is done */
};

static bool begin(struct worker *worker, struct conn *conn);
static void shake(struct worker *worker, struct conn *conn);

static struct conn_tls_entry *entry_of(const struct worker *worker, const struct conn *conn) {
    return &worker->conns->tls.entries[conn->self];
}

void conn_tls_done(struct conn_tls_table *table) {
    free(table->entries);
    *table = (struct conn_tls_table){0};
}

void conn_tls_begin_turn(struct worker *worker) {
    worker->conns->tls.turn_ns = 0;
}

void conn_tls_readable(struct worker *worker, struct conn *conn) {
    if (worker->conns->tls.turn_ns >= TURN_BUDGET_NS) {
        return; /* level-triggered: it comes again in the next turn */
    }
    if (!(conn->flags & CONN_SECURE) && !begin(worker, conn)) {
        return;
    }
    uint64_t start_ns = clock_mono_ns();
    shake(worker, conn);
    worker->conns->tls.turn_ns += clock_mono_ns() - start_ns;
}

void conn_tls_writable(struct worker *worker, struct conn *conn) {
    conn->flags &= (uint16_t)~CONN_BLOCKED;
    if (conn_poll_wait_readable(worker, conn) != 0) {
        conn_kill(worker, conn);
        return;
    }
    conn_tls_readable(worker, conn);
}

/* --- the handshake --- */

static int reserve(struct conn_tls_table *table, uint32_t index) {
    uint32_t capacity = table->capacity == 0 ? FIRST_CAPACITY : table->capacity;
    while (capacity <= index) {
        capacity *= 2;
    }
    if (capacity == table->capacity) {
        return 0;
    }
    struct conn_tls_entry *entries = reallocarray(table->entries, capacity, sizeof(*entries));
    if (entries == NULL) {
        return -ENOMEM;
    }
    memset(entries + table->capacity, 0, (capacity - table->capacity) * sizeof(*entries));
    table->entries = entries;
    table->capacity = capacity;
    return 0;
}

/* Counted when it is freed. */
static void failed(const struct conn *conn, const char *reason) {
    log_write(LOG_LEVEL_DEBUG, conn->id, "no TLS: %s", reason);
}

/* Too many handshakes in this second: sent away before any cryptography. There is no HTTP yet to say when to come back. */
static void refuse(struct worker *worker, struct conn *conn) {
    static const unsigned char internal_error[] = {0x15, 3, 3, 0, 2, 2, 80};
    (void)send(conn->fd, internal_error, sizeof(internal_error), MSG_DONTWAIT | MSG_NOSIGNAL);
    conn_linger(worker, conn);
}

/* True: it has a session. */
static bool open_session(struct worker *worker, struct conn *conn) {
    if (reserve(&worker->conns->tls, conn->self) != 0) {
        return false;
    }
    struct conn_tls_entry *entry = entry_of(worker, conn);
    *entry = (struct conn_tls_entry){.ssl = tls_session_new(&worker->tls, conn->fd)};
    if (entry->ssl == NULL) {
        return false;
    }
    conn->flags |= CONN_SECURE;
    stats_add(worker->stats, STAT_TLS_CONNECTIONS, 1);
    return true;
}

/* The first byte has come. False: it is not the beginning of a handshake, or there is to be none. */
static bool begin(struct worker *worker, struct conn *conn) {
    unsigned char first;
    ssize_t got = recv(conn->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (got == 1 && first >= 'A' && first <= 'Z') {
        stats_add(worker->stats, STAT_TLS_PLAIN, 1);
        conn_head_plain(worker, conn);
    } else if (got != 1 || first != CONTENT_HANDSHAKE) {
        stats_add(worker->stats, STAT_TLS_FAILED, got == 1); /* a probe that says nothing is none */
        failed(conn, got == 1 ? "not a handshake" : "nothing was said");
        conn_kill(worker, conn);
    } else if (!middleware_tls(worker)) {
        refuse(worker, conn);
    } else if (!open_session(worker, conn)) {
        failed(conn, "out of memory");
        conn_kill(worker, conn);
    } else {
        return true;
    }
    return false;
}

static void done(struct worker *worker, struct conn *conn) {
    struct conn_tls_entry *entry = entry_of(worker, conn);
    bool resumed = SSL_session_reused(entry->ssl);
    entry->open = true;
    stats_add(worker->stats, resumed ? STAT_TLS_RESUMED : STAT_TLS_FULL, 1);
    if (conn_begin_head(worker, conn) != 0) {
        conn_kill(worker, conn);
    }
}

static void wait_writable(struct worker *worker, struct conn *conn) {
    conn->flags |= CONN_BLOCKED;
    if (conn_poll_wait_writable(worker, conn) != 0) {
        conn_kill(worker, conn);
    }
}

static void shake(struct worker *worker, struct conn *conn) {
    SSL *ssl = entry_of(worker, conn)->ssl;
    ERR_clear_error();
    int result = SSL_accept(ssl);
    int error = SSL_get_error(ssl, result);
    if (result == 1) {
        done(worker, conn);
    } else if (error == SSL_ERROR_WANT_WRITE) {
        wait_writable(worker, conn);
    } else if (error == SSL_ERROR_SSL) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        failed(conn, reason != NULL ? reason : "a protocol error");
        conn_linger(worker, conn); /* the alert that OpenSSL has sent must not be lost to a reset */
    } else if (error != SSL_ERROR_WANT_READ) {
        failed(conn, "the client has gone");
        conn_kill(worker, conn);
    }
    ERR_clear_error();
}

/* --- an open session --- */

ssize_t conn_tls_read(struct worker *worker, struct conn *conn, void *buffer) {
    SSL *ssl = entry_of(worker, conn)->ssl;
    ERR_clear_error();
    int got = SSL_read(ssl, buffer, TLS_RECORD_BYTES);
    if (got > 0) {
        return got;
    }
    switch (SSL_get_error(ssl, got)) {
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_WRITE: /* an answer of the protocol's own finds the socket full */
        wait_writable(worker, conn);
        return -EAGAIN;
    case SSL_ERROR_WANT_READ:
        return -EAGAIN;
    default:
        ERR_clear_error();
        return -ECONNRESET;
    }
}

/* The pieces' beginning in one place, as long as a record may be. */
static const void *gather(const struct iovec *pieces, unsigned count, size_t *length) {
    static unsigned char record[TLS_RECORD_BYTES]; /* one worker, one thread */
    if (count == 1 || pieces[0].iov_len >= TLS_RECORD_BYTES) {
        size_t whole = pieces[0].iov_len;
        *length = whole < TLS_RECORD_BYTES ? whole : TLS_RECORD_BYTES;
        return pieces[0].iov_base;
    }
    *length = 0;
    for (unsigned i = 0; i < count && *length < TLS_RECORD_BYTES; i++) {
        size_t room = TLS_RECORD_BYTES - *length;
        size_t take = pieces[i].iov_len < room ? pieces[i].iov_len : room;
        memcpy(record + *length, pieces[i].iov_base, take);
        *length += take;
    }
    return record;
}

/* 1: written; 0: the record is made, but the socket is full; -ECONNRESET. */
static int write_record(SSL *ssl, const void *bytes, size_t length) {
    ERR_clear_error();
    int written = SSL_write(ssl, bytes, (int)length);
    if (written > 0) {
        assert((size_t)written == length); /* one record, whole */
        return 1;
    }
    int error = SSL_get_error(ssl, written);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_WRITE ? 0 : -ECONNRESET;
}

ssize_t conn_tls_write(struct worker *worker, struct conn *conn, const struct iovec *pieces,
                       unsigned count, bool *blocked) {
    struct conn_tls_entry *entry = entry_of(worker, conn);
    *blocked = false;
    if (entry->pending > 0) {
        /* OpenSSL goes on with its record; it looks at the length, not at the bytes */
        static const unsigned char any[TLS_RECORD_BYTES];
        int result = write_record(entry->ssl, any, entry->pending);
        *blocked = result == 0;
        entry->pending = result == 0 ? entry->pending : 0;
        return result < 0 ? result : 0;
    }
    if (count == 0) {
        return 0;
    }
    size_t length;
    const void *bytes = gather(pieces, count, &length);
    int result = write_record(entry->ssl, bytes, length);
    if (result < 0) {
        return result;
    }
    if (result == 0) {
        *blocked = true;
        entry->pending = (uint32_t)length;
    }
    return (ssize_t)length;
}

bool conn_tls_pending(const struct worker *worker, const struct conn *conn) {
    return (conn->flags & CONN_SECURE) && entry_of(worker, conn)->pending > 0;
}

void conn_tls_shut(struct worker *worker, struct conn *conn) {
    if (!(conn->flags & CONN_SECURE)) {
        return;
    }
    const struct conn_tls_entry *entry = entry_of(worker, conn);
    ERR_clear_error();
    if (entry->open && entry->pending == 0) {
        (void)SSL_shutdown(entry->ssl);
    }
    ERR_clear_error();
}

void conn_tls_free(struct worker *worker, struct conn *conn) {
    if (!(conn->flags & CONN_SECURE)) {
        return;
    }
    struct conn_tls_entry *entry = entry_of(worker, conn);
    stats_add(worker->stats, STAT_TLS_FAILED, !entry->open);
    stats_sub(worker->stats, STAT_TLS_CONNECTIONS, 1);
    SSL_free(entry->ssl);
    *entry = (struct conn_tls_entry){0};
}
