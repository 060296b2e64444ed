#include "gateway/client/session_handle.h"
#include "common/clock.h"

#include <stdarg.h>
#include <stdio.h>

#define BACK_MOST_MS 60000u /* however long a server says */

static void take_position(struct session *session, const struct envelope *envelope);

void session_note(const struct session *session, const char *format, ...) {
    if (session->arguments->quiet) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout); /* on a terminal both go to the same place */
    fputs("moonx-client: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

static void on_auth_required(struct session *session, const struct envelope *envelope) {
    (void)envelope;
    session_authenticate(session, true);
}

/* Also comes when a session is prolonged. */
static void on_auth_success(struct session *session, const struct envelope *envelope) {
    (void)envelope;
    session->renew_at_ms = 0;
    if (session->signed_in) {
        return;
    }
    session->signed_in = session->ever = true;
    if (session->arguments->reconnect || session->arguments->summary) {
        session->ping_at_ms = clock_mono_ms();
    }
}

static void on_auth_failed(struct session *session, const struct envelope *envelope) {
    struct span code = envelope_string(envelope, "code");
    bool again = span_is(code, "AUTH_UNAVAILABLE") ||
                 (span_is(code, "TOKEN_EXPIRED") && token_renew(session->token));
    fprintf(stderr, "moonx-client: authentication failed: ");
    print_clean(stderr, code, SIZE_MAX);
    fputc('\n', stderr);
    session->verdict = again ? SESSION_COME_BACK : SESSION_TURNED_OUT;
}

static void on_subscribed(struct session *session, const struct envelope *envelope) {
    take_position(session, envelope);
    subscriptions_add(&session->subscriptions, envelope_string(envelope, "channel"));
}

static void on_unsubscribed(struct session *session, const struct envelope *envelope) {
    subscriptions_remove(&session->subscriptions, envelope_string(envelope, "channel"));
}

static void on_resumed(struct session *session, const struct envelope *envelope) {
    struct json_value recovered;
    if (json_get(envelope->data, "recovered", &recovered) == 1 && recovered.type == JSON_TRUE) {
        session->replay_left = envelope_number(envelope, "count", 0);
        session_note(session, "resumed: %llu missed events follow",
                     (unsigned long long)session->replay_left);
        return;
    }
    struct span reason = envelope_string(envelope, "reason");
    bool known = span_is(reason, "TOO_OLD") || span_is(reason, "UNKNOWN_POSITION");
    session_note(session, "not resumed: %s; what was sent meanwhile is missing",
                 !known                       ? "the server gives no reason"
                 : span_is(reason, "TOO_OLD") ? "TOO_OLD"
                                              : "UNKNOWN_POSITION");
    client_position_clear(session->position);
    session_ping(session); /* its answer has a new one */
}

static void on_skipped(struct session *session, const struct envelope *envelope) {
    session->skipped += envelope_number(envelope, "count", 0);
}

static void on_reconnect(struct session *session, const struct envelope *envelope) {
    uint64_t after = envelope_number(envelope, "afterMs", 0);
    session->back_at_ms = clock_mono_ms() + (after < BACK_MOST_MS ? after : BACK_MOST_MS);
}

static void on_token_refresh_required(struct session *session, const struct envelope *envelope) {
    unsigned long long left_s = envelope_number(envelope, "expiresIn", 0) / 1000;
    if (session->token->file == NULL) {
        session_note(session, "the token ends in %llu s; --token-file would be read again", left_s);
        return;
    }
    session->renew_at_ms = clock_mono_ms();
    session_note(session, "the token ends in %llu s: waiting for another in %s", left_s,
                 session->token->file);
}

/* Our authenticate was understood, but not the position in it. */
static void on_error(struct session *session, const struct envelope *envelope) {
    if (session->auth_id[0] != '\0' && span_is(envelope->ref, session->auth_id) &&
        span_is(envelope_string(envelope, "code"), "INVALID_MESSAGE")) {
        client_position_clear(session->position);
    }
}

void session_handle(struct session *session, const struct envelope *envelope) {
    static const struct {
        const char *type;
        void (*handle)(struct session *session, const struct envelope *envelope);
    } handlers[] = {
        {"auth_required", on_auth_required},
        {"auth_success", on_auth_success},
        {"auth_failed", on_auth_failed},
        {"auto_subscribed", take_position},
        {"subscribed", on_subscribed},
        {"unsubscribed", on_unsubscribed},
        {"pong", take_position},
        {"resumed", on_resumed},
        {"skipped", on_skipped},
        {"reconnect", on_reconnect},
        {"token_refresh_required", on_token_refresh_required},
        {"error", on_error},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(handlers); i++) {
        if (span_is(envelope->type, handlers[i].type)) {
            handlers[i].handle(session, envelope);
            return;
        }
    }
}

/* One that can't be read leaves what is known: at worst a little is sent twice. */
static void take_position(struct session *session, const struct envelope *envelope) {
    struct json_value position;
    if (json_get(envelope->data, "position", &position) == 1 &&
        client_position_set(session->position, position) != 0) {
        session_note(session, "the server's position can't be read");
    }
}
