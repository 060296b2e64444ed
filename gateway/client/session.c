#include "gateway/client/session.h"
#include "common/clock.h"
#include "gateway/client/session_handle.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PING_EVERY_MS  20000u
#define DEAD_AFTER_MS  15000u
#define RENEW_EVERY_MS 1000u

static void take_pong(struct session *session, const struct envelope *envelope);
static void take_event(struct session *session, const struct envelope *envelope);
static void take_expected(struct session *session, const struct envelope *envelope);
static bool missing_answers(const struct session *session);

int session_init(struct session *session, const struct arguments *arguments, struct token *token) {
    *session = (struct session){.arguments = arguments, .token = token};
    for (unsigned i = 0; i < arguments->channel_count; i++) {
        subscriptions_add(&session->subscriptions, span_of(arguments->channels[i]));
    }
    return client_position_new(&session->position);
}

void session_done(struct session *session) {
    client_position_free(session->position);
    subscriptions_free(&session->subscriptions);
    requests_free(&session->requests);
}

void session_connected(struct session *session, struct ws_client *client) {
    session->client = client;
    session->connections++;
    session->heard_ms = clock_mono_ms();
}

void session_lost(struct session *session) {
    session->client = NULL;
    session->signed_in = false;
    session->renew_at_ms = session->ping_at_ms = session->pinged_ns = session->replay_left = 0;
    requests_lost(&session->requests);
}

/* What can't be queued leaves a connection that can't be used. */
static void send_text(struct session *session, const char *text) {
    if (text == NULL || ws_client_send_text(session->client, span_of(text)) != 0) {
        session->verdict = SESSION_COME_BACK;
    }
}

static void send_requests(struct session *session) {
    if (session->signed_in && session->verdict == SESSION_GOES_ON &&
        requests_send(&session->requests, session->client) != 0) {
        session->verdict = SESSION_COME_BACK;
    }
}

void session_say(struct session *session, struct composed *message) {
    requests_add(&session->requests, message);
    send_requests(session);
}

static void add_fresh(const struct session *session, cJSON *data) {
    char *position = NULL;
    if (session->subscriptions.count > 0) {
        cJSON_AddItemToObject(
            data, "channels",
            cJSON_CreateStringArray((const char *const *)session->subscriptions.names,
                                    (int)session->subscriptions.count));
    }
    if (client_position_text(session->position, &position) == 0) {
        cJSON_AddRawToObject(data, "resume", position);
        free(position);
    }
}

void session_authenticate(struct session *session, bool fresh) {
    struct span secret = secret_bytes(session->token->secret);
    char *token = strndup(secret.data, secret.length);
    cJSON *message = cJSON_CreateObject();
    compose_id(session->auth_id);
    cJSON_AddStringToObject(message, "id", session->auth_id);
    cJSON_AddStringToObject(message, "type", "authenticate");
    cJSON *data = cJSON_AddObjectToObject(message, "data");
    cJSON_AddStringToObject(data, "token", token == NULL ? "" : token);
    if (fresh) {
        add_fresh(session, data);
    }
    char *text = cJSON_PrintUnformatted(message);
    send_text(session, text);
    cJSON_free(text);
    cJSON_Delete(message);
    free(token);
}

void session_ping(struct session *session) {
    char text[COMPOSE_ID_BYTES + 40];
    compose_id(session->ping_id);
    snprintf(text, sizeof(text), "{\"id\":\"%s\",\"type\":\"ping\"}", session->ping_id);
    session->pinged_ns = clock_mono_ns();
    session->ping_at_ms = clock_mono_ms() + PING_EVERY_MS;
    send_text(session, text);
}

static unsigned terminal_columns(void) {
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* The answer to session_ping(), which nobody else has asked for. */
static bool is_own_pong(const struct session *session, const struct envelope *envelope) {
    return session->ping_id[0] != '\0' && span_is(envelope->ref, session->ping_id);
}

void session_message(void *context, struct span text) {
    struct session *session = context;
    struct envelope envelope;
    char answers[REQUESTS_ANSWERS_BYTES];
    if (session->verdict != SESSION_GOES_ON) {
        return; /* --count has been reached: exactly so many are shown */
    }
    session->heard_ms = clock_mono_ms();
    bool readable = envelope_read(text, &envelope);
    if (readable && is_own_pong(session, &envelope)) {
        take_pong(session, &envelope);
        return;
    }
    bool answer = readable && requests_answer(&session->requests, &envelope, answers);
    print_message(stdout, session->arguments->style, terminal_columns(), text,
                  readable ? &envelope : NULL, answer ? answers : NULL);
    if (!readable) {
        return;
    }
    session_handle(session, &envelope);
    take_event(session, &envelope);
    take_expected(session, &envelope);
    send_requests(session);
    if (session->verdict == SESSION_GOES_ON && session_complete(session)) {
        session->verdict = SESSION_COMPLETE;
    }
}

static void take_pong(struct session *session, const struct envelope *envelope) {
    uint64_t server_ms = envelope_number(envelope, "serverTime", 0);
    if (session->pinged_ns != 0 && server_ms > 0) {
        latency_take_pong(&session->latency, (int64_t)server_ms, clock_wall_ms() * 1000 + 500,
                          (clock_mono_ns() - session->pinged_ns) / 1000);
    }
    session->pinged_ns = 0;
    session_handle(session, envelope);
}

static void take_event(struct session *session, const struct envelope *envelope) {
    if (!envelope_is_event(envelope)) {
        return;
    }
    session->last_ms = clock_mono_ms();
    session->first_ms = session->events++ == 0 ? session->last_ms : session->first_ms;
    client_position_move(session->position, envelope->id);
    if (session->replay_left > 0) {
        session->replay_left--;
    } else if (envelope_time_ms(envelope) > 0) {
        latency_take_event(&session->latency, envelope_time_ms(envelope),
                           clock_wall_ms() * 1000 + 500);
    }
}

static void take_expected(struct session *session, const struct envelope *envelope) {
    const struct arguments *arguments = session->arguments;
    for (unsigned i = 0; i < arguments->expect_count; i++) {
        if (expect_matches(&arguments->expects[i], envelope)) {
            session->expects_met |= UINT32_C(1) << i;
        }
    }
}

void session_tick(struct session *session, uint64_t now_ms) {
    if (session->client == NULL || session->verdict != SESSION_GOES_ON) {
        return;
    }
    if (session->ping_at_ms != 0 && now_ms >= session->ping_at_ms) {
        session_ping(session);
    }
    if (session->renew_at_ms != 0 && now_ms >= session->renew_at_ms) {
        session->renew_at_ms = now_ms + RENEW_EVERY_MS;
        if (token_renew(session->token)) {
            session->renew_at_ms = 0;
            session_authenticate(session, false);
        }
    }
}

static uint64_t earlier(uint64_t time_ms, uint64_t other) {
    return other != 0 && other < time_ms ? other : time_ms;
}

/* A ping is out, and so long nothing at all has come; 0: no ping is out. */
static uint64_t dead_at_ms(const struct session *session) {
    uint64_t pinged_ms = session->pinged_ns / 1000000;
    uint64_t last_ms = pinged_ms > session->heard_ms ? pinged_ms : session->heard_ms;
    return session->pinged_ns == 0 ? 0 : last_ms + DEAD_AFTER_MS;
}

uint64_t session_next_ms(const struct session *session) {
    uint64_t next = earlier(earlier(SESSION_LATER, session->ping_at_ms), session->renew_at_ms);
    return earlier(next, dead_at_ms(session));
}

bool session_is_dead(const struct session *session, uint64_t now_ms) {
    uint64_t dead_at = dead_at_ms(session);
    return dead_at != 0 && now_ms >= dead_at;
}

static bool missing_expects(const struct session *session) {
    uint32_t all = (uint32_t)((UINT64_C(1) << session->arguments->expect_count) - 1);
    return session->expects_met != all;
}

bool session_complete(const struct session *session) {
    const struct arguments *arguments = session->arguments;
    bool awaits = arguments->count > 0 || arguments->expect_count > 0;
    if (!awaits && !arguments->once && !session->input_ended) {
        return false;
    }
    return session->ever && session->events >= arguments->count && !missing_expects(session) &&
           !missing_answers(session);
}

/* With --once also what still comes by standard input; else an answer counts only when nothing but answers ends the run. */
static bool missing_answers(const struct session *session) {
    const struct arguments *arguments = session->arguments;
    bool awaits = arguments->count > 0 || arguments->expect_count > 0;
    return (arguments->once || !awaits) && session->requests.count > 0;
}

void session_tell_missing(const struct session *session) {
    const struct arguments *arguments = session->arguments;
    if (session->events < arguments->count) {
        fprintf(stderr, "moonx-client: %lu of %lu events came\n", session->events,
                arguments->count);
    }
    for (unsigned i = 0; i < arguments->expect_count; i++) {
        if ((session->expects_met >> i & 1) == 0) {
            fprintf(stderr, "moonx-client: expected, and did not come: %s\n",
                    arguments->expects[i].text);
        }
    }
    for (unsigned i = 0; i < session->requests.count && missing_answers(session); i++) {
        fprintf(stderr, "moonx-client: no answer to: %s\n", session->requests.list[i].message.type);
    }
}

bool session_refused(const struct session *session) {
    const struct arguments *arguments = session->arguments;
    bool counts = arguments->once || (arguments->read_stdin && isatty(STDIN_FILENO) != 1);
    return counts && session->requests.errors > 0;
}
