#include "gateway/http/subscriptions.h"

#include "common/clock.h"
#include "common/room_name.h"
#include "gateway/http/connections.h"
#include "gateway/http/http_query.h"
#include "gateway/http/json_body.h"
#include "gateway/http/liveness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LIMIT_DEFAULT 100u

/* A room as one worker has it; after the merge, as all have it. */
struct room_row {
    struct survey_row *row;
    uint32_t worker;
    uint32_t first, parts; /* merged: its rows among those sorted by name */
    uint64_t listeners;
};

/* Everything that was read; freed when the page is made. */
struct survey_result {
    struct survey_answer *answers; /* one a worker, count 0 where there is none */
    bool answered[HERITAGE_MAX_WORKERS], expected[HERITAGE_MAX_WORKERS];
    struct room_row *by_name, *merged;
    uint32_t rows, rooms;
    uint64_t total;
    bool whole;
};

static int read_after(struct span query, struct server_survey *page);

static int ask_rooms(const struct http_request *request, struct server_survey *page) {
    page->question.kind = SURVEY_ROOMS;
    page->limit = LIMIT_DEFAULT;
    int limit =
        http_query_number(request->query, "limit", 1, SERVER_SURVEY_LIMIT_MOST, &page->limit);
    int after = read_after(request->query, page);
    return limit < 0 || after < 0 ? -EINVAL : 1;
}

int subscriptions_ask(const struct http_request *request, struct server_survey *page) {
    *page = (struct server_survey){0};
    return ask_rooms(request, page);
}

int subscriptions_ask_connections(const struct http_request *request, struct server_survey *page) {
    char user[SURVEY_TEXT_BYTES];
    size_t length = 0;

    *page = (struct server_survey){.totals = true};
    if (request->query.length == 0) {
        return 0;
    }
    int found = http_query_text(request->query, "user", user, sizeof(user), &length);
    if (found == 0) {
        return ask_rooms(request, page);
    }
    if (found < 0 || !room_name_valid((struct span){user, length})) { /* no user has such an id */
        return -EINVAL;
    }
    page->question.kind = SURVEY_USER;
    page->question.length = (uint32_t)length;
    memcpy(page->question.text, user, length);
    return 1;
}

/* As `next` gave it: COUNT:NAME of the last room of the page before. */
static int read_after(struct span query, struct server_survey *page) {
    char text[sizeof(page->after_name) + 12];
    size_t length = 0;
    int found = http_query_text(query, "after", text, sizeof(text), &length);
    if (found <= 0) {
        return found;
    }
    char *end;
    unsigned long long count = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    if (count == 0 || *end != ':' || strlen(end + 1) >= sizeof(page->after_name)) {
        return -EINVAL;
    }
    page->after_listeners = count;
    memcpy(page->after_name, end + 1, strlen(end + 1) + 1);
    return 1;
}

static struct span name_of(const struct room_row *room) {
    return (struct span){room->row->name, room->row->length};
}

static int compare_names(struct span a, struct span b) {
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = memcmp(a.data, b.data, shorter);
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

static int by_name(const void *a, const void *b) {
    return compare_names(name_of(a), name_of(b));
}

static int by_size(const void *a, const void *b) {
    const struct room_row *x = a, *y = b;
    if (x->listeners != y->listeners) {
        return x->listeners < y->listeners ? 1 : -1;
    }
    return compare_names(name_of(x), name_of(y));
}

static bool result_new(const struct host_view *view, struct survey_result *result) {
    size_t rows = (size_t)view->worker_count * SURVEY_ROWS;
    *result = (struct survey_result){.whole = true};
    result->answers = calloc(view->worker_count, sizeof(*result->answers));
    result->by_name = calloc(rows, sizeof(*result->by_name));
    result->merged = calloc(rows, sizeof(*result->merged));
    return result->answers != NULL && result->by_name != NULL && result->merged != NULL;
}

static void result_done(struct survey_result *result) {
    free(result->answers);
    free(result->by_name);
    free(result->merged);
}

static void read_answers(const struct host_view *view, uint32_t asker, uint64_t number,
                         struct survey_result *result) {
    uint64_t now_ns = clock_mono_ns();
    for (uint32_t i = 0; i < view->worker_count; i++) {
        struct survey_answer *answer = &result->answers[i];
        result->expected[i] = liveness_worker(view->workers[i], now_ns);
        result->answered[i] = result->expected[i] &&
                              survey_answer_read(&view->workers[i]->answer, asker, number, answer);
        if (!result->answered[i]) {
            answer->count = 0;
            answer->total = 0;
            result->whole = result->whole && !result->expected[i];
        }
        result->total += answer->total;
        result->whole = result->whole && answer->total == answer->count;
    }
}

/* Rows of the same name become one room. */
static void merge(const struct host_view *view, struct survey_result *result) {
    for (uint32_t i = 0; i < view->worker_count; i++) {
        for (uint32_t at = 0; at < result->answers[i].count; at++) {
            result->by_name[result->rows++] =
                (struct room_row){.row = &result->answers[i].rows[at], .worker = i};
        }
    }
    qsort(result->by_name, result->rows, sizeof(*result->by_name), by_name);
    for (uint32_t i = 0; i < result->rows; i++) {
        const struct room_row *part = &result->by_name[i];
        if (i == 0 || by_name(part, part - 1) != 0) {
            result->merged[result->rooms++] = (struct room_row){.row = part->row, .first = i};
        }
        result->merged[result->rooms - 1].parts++;
        result->merged[result->rooms - 1].listeners += part->row->count;
    }
    qsort(result->merged, result->rooms, sizeof(*result->merged), by_size);
}

static void add_room(struct json_body *body, cJSON *rooms, const struct survey_result *result,
                     const struct room_row *room) {
    char name[SURVEY_NAME_BYTES + 1];
    snprintf(name, sizeof(name), SPAN_FORMAT, SPAN_ARGS(name_of(room)));
    cJSON *entry = json_body_object(body, rooms, NULL);
    json_body_text(body, entry, "room", name);
    json_body_count(body, entry, "listeners", room->listeners);
    cJSON *workers = json_body_array(body, entry, "workers");
    for (uint32_t i = room->first; i < room->first + room->parts; i++) {
        cJSON *worker = json_body_object(body, workers, NULL);
        json_body_count(body, worker, "index", result->by_name[i].worker);
        json_body_count(body, worker, "listeners", result->by_name[i].row->count);
    }
}

static bool is_behind(const struct room_row *room, const struct server_survey *page) {
    if (page->after_listeners == 0 || room->listeners != page->after_listeners) {
        return page->after_listeners == 0 || room->listeners < page->after_listeners;
    }
    return compare_names(name_of(room), span_of(page->after_name)) > 0;
}

static void add_rooms(struct json_body *body, const struct server_survey *page,
                      const struct survey_result *result) {
    char next[SURVEY_NAME_BYTES + 24];
    uint64_t count = 0;
    uint32_t at = 0;
    cJSON *rooms = json_body_array(body, body->root, "rooms");

    while (at < result->rooms && !is_behind(&result->merged[at], page)) {
        at++;
    }
    for (; at < result->rooms && count < page->limit; at++, count++) {
        add_room(body, rooms, result, &result->merged[at]);
    }
    if (at < result->rooms && count > 0) {
        const struct room_row *last = &result->merged[at - 1];
        snprintf(next, sizeof(next), "%" PRIu64 ":" SPAN_FORMAT, last->listeners,
                 SPAN_ARGS(name_of(last)));
        json_body_text(body, body->root, "next", next);
    }
}

static void add_socket(struct json_body *body, cJSON *sockets, uint32_t worker,
                       const struct survey_row *row) {
    char id[24];
    snprintf(id, sizeof(id), "c%016" PRIx64, row->id);
    cJSON *socket = json_body_object(body, sockets, NULL);
    json_body_text(body, socket, "connectionId", id);
    json_body_count(body, socket, "worker", worker);
    json_body_count(body, socket, "rooms", row->count);
    json_body_text(body, socket, "state", row->live ? "live" : "catching up");
}

static void add_sockets(struct json_body *body, const struct host_view *view,
                        const struct server_survey *page, const struct survey_result *result) {
    char user[SURVEY_TEXT_BYTES + 1];
    snprintf(user, sizeof(user), "%.*s", (int)page->question.length, page->question.text);
    json_body_text(body, body->root, "user", user);
    cJSON *sockets = json_body_array(body, body->root, "sockets");
    for (uint32_t i = 0; i < view->worker_count; i++) {
        for (uint32_t at = 0; at < result->answers[i].count; at++) {
            add_socket(body, sockets, i, &result->answers[i].rows[at]);
        }
    }
}

/* Which workers have answered, and whether everything that there is stands here. */
static void add_covers(struct json_body *body, const struct host_view *view,
                       const struct survey_result *result, const char *total) {
    cJSON *covers = json_body_object(body, body->root, "covers");
    json_body_bool(body, covers, "whole", result->whole);
    json_body_count(body, covers, "mostPerWorker", SURVEY_ROWS);
    json_body_bool(body, covers, "personalRooms", false);
    cJSON *workers = json_body_array(body, covers, "workers");
    for (uint32_t i = 0; i < view->worker_count; i++) {
        if (result->expected[i]) {
            cJSON *worker = json_body_object(body, workers, NULL);
            json_body_count(body, worker, "index", i);
            json_body_bool(body, worker, "answered", result->answered[i]);
            json_body_count(body, worker, total, result->answers[i].total);
        }
    }
}

void subscriptions_answer(const struct server_context *context, const struct server_survey *page,
                          uint32_t asker, uint64_t number, struct http_response *response) {
    const struct host_view *view = context->view;
    struct survey_result result;
    struct json_body body;

    if (!result_new(view, &result)) {
        result_done(&result);
        *response = (struct http_response){.status = 500};
        return;
    }
    read_answers(view, asker, number, &result);
    json_body_start(&body);
    if (page->totals) {
        connections_add(&body, view);
    }
    if (page->question.kind == SURVEY_USER) {
        add_sockets(&body, view, page, &result);
    } else {
        merge(view, &result);
        add_rooms(&body, page, &result);
    }
    add_covers(&body, view, &result, page->question.kind == SURVEY_USER ? "sockets" : "rooms");
    json_body_finish(&body, 200, response);
    result_done(&result);
}
