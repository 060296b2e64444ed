#include "gateway/message/subscribe.h"

#include "gateway/access/policy_ask.h"
#include "gateway/connection/conn.h"
#include "gateway/message/channel.h"
#include "gateway/message/reply.h"
#include "gateway/message/room_lease.h"
#include "gateway/message/subscribe_later.h"

#include <stdio.h>

static enum policy_result may_join(const struct worker *worker, const struct conn *conn,
                                   const struct channel_rooms *rooms, struct span *undecided);
static bool join_if_space(struct worker *worker, struct conn *conn,
                          const struct channel_rooms *rooms, bool *joined, enum error_code *code);
static bool has_space(const struct worker *worker, const struct conn *conn,
                      const struct channel_rooms *rooms);
static bool join(struct worker *worker, struct conn *conn, const struct channel_rooms *rooms,
                 bool *joined, enum error_code *code);
static void send_snapshots(struct worker *worker, struct conn *conn,
                           const struct channel_rooms *rooms, const bool *joined);
static void reply_subscribed(struct worker *worker, struct conn *conn, const char *channel,
                             const struct channel_rooms *rooms, const char *ref);
static unsigned most_channels(const struct worker *worker);
static bool all_strings(const cJSON *channels);

void subscribe_channel(struct worker *worker, struct conn *conn, const char *channel,
                       const char *ref) {
    struct channel_rooms rooms;
    struct span undecided;
    enum policy_result result = POLICY_UNKNOWN;
    enum error_code code;
    bool joined[CHANNEL_MAX_ROOMS] = {false};

    if (channel_rooms(span_of(channel), conn_user_id(worker, conn), &rooms) == 0) {
        result = may_join(worker, conn, &rooms, &undecided);
    }
    if (result == POLICY_LATER) {
        subscribe_later(worker, conn, channel, undecided, ref);
    } else if (result != POLICY_ALLOW) {
        reply_channel_error(worker, conn, policy_ask_error(result), channel, ref);
    } else if (join_if_space(worker, conn, &rooms, joined, &code)) {
        reply_subscribed(worker, conn, channel, &rooms, ref);
        send_snapshots(worker, conn, &rooms, joined);
    } else {
        reply_channel_error(worker, conn, code, channel, ref);
    }
}

void subscribe_each(struct worker *worker, struct conn *conn, const cJSON *channels,
                    const char *ref, subscribe_action *action) {
    const cJSON *channel;
    char text[64] = "";

    if (!all_strings(channels)) {
        reply_error(worker, conn, ERROR_INVALID_MESSAGE, NULL, ref);
        return;
    }
    if ((unsigned)cJSON_GetArraySize(channels) > most_channels(worker)) {
        (void)snprintf(text, sizeof(text), "At most %u channels a message", most_channels(worker));
        reply_error(worker, conn, ERROR_INVALID_MESSAGE, text, ref);
        return;
    }
    cJSON_ArrayForEach(channel, channels) {
        action(worker, conn, channel->valuestring, ref);
    }
}

void subscribe_each_of_message(struct worker *worker, struct conn *conn,
                               const struct message *message, subscribe_action *action) {
    const cJSON *channel = NULL, *channels = NULL;
    int one = message_field(message, "channel", &channel);
    int many = message_field(message, "channels", &channels);

    if (one == 1 && many == 0 && cJSON_IsString(channel)) {
        action(worker, conn, channel->valuestring, message->ref);
    } else if (one == 0 && many == 1 && channels->child != NULL) {
        subscribe_each(worker, conn, channels, message->ref, action);
    } else {
        /* Also an empty list: one request must have an answer. */
        reply_error(worker, conn, ERROR_INVALID_MESSAGE, NULL, message->ref);
    }
}

/* *undecided: the first room that the auth service must be asked about. What is refused needs no question. */
static enum policy_result may_join(const struct worker *worker, const struct conn *conn,
                                   const struct channel_rooms *rooms, struct span *undecided) {
    enum policy_result all = POLICY_ALLOW;

    for (unsigned i = 0; i < rooms->count; i++) {
        struct span room = span_of(rooms->names[i]);
        enum policy_result result = policy_ask_now(worker, conn, POLICY_JOIN, room);
        if (result == POLICY_LATER && all == POLICY_ALLOW) {
            *undecided = room;
            all = POLICY_LATER;
        } else if (result != POLICY_ALLOW && result != POLICY_LATER) {
            return result;
        }
    }
    return all;
}

static bool join_if_space(struct worker *worker, struct conn *conn,
                          const struct channel_rooms *rooms, bool *joined, enum error_code *code) {
    if (!has_space(worker, conn, rooms)) {
        *code = ERROR_TOO_MANY_SUBSCRIPTIONS;
        return false;
    }
    return join(worker, conn, rooms, joined, code);
}

/* The own personal rooms are a mask of four bits: they cost nothing and do not count. */
static bool has_space(const struct worker *worker, const struct conn *conn,
                      const struct channel_rooms *rooms) {
    unsigned added = 0;

    for (unsigned i = 0; i < rooms->count; i++) {
        struct span room = span_of(rooms->names[i]), key;
        if (room_name_kind(room, &key) == ROOM_PLAIN && !conn_in_room(worker, conn, room)) {
            added++;
        }
    }
    return added == 0 ||
           conn_room_count(worker, conn) + added <= worker->options->ws_max_subscriptions;
}

static bool join(struct worker *worker, struct conn *conn, const struct channel_rooms *rooms,
                 bool *joined, enum error_code *code) {
    for (unsigned i = 0; i < rooms->count; i++) {
        int result = room_lease_join(worker, conn, span_of(rooms->names[i]));
        if (result < 0) {
            while (i-- > 0) {
                if (joined[i]) {
                    (void)conn_leave(worker, conn, span_of(rooms->names[i]));
                }
            }
            *code = result == -EPERM ? ERROR_PERMISSION_DENIED : ERROR_MESSAGE_PROCESSING_ERROR;
            return false;
        }
        joined[i] = result == 1;
    }
    return true;
}

/* Of rooms that it was in already it has had them. */
static void send_snapshots(struct worker *worker, struct conn *conn,
                           const struct channel_rooms *rooms, const bool *joined) {
    for (unsigned i = 0; i < rooms->count; i++) {
        if (joined[i]) {
            conn_send_snapshot(worker, conn, span_of(rooms->names[i]));
        }
    }
}

static void reply_subscribed(struct worker *worker, struct conn *conn, const char *channel,
                             const struct channel_rooms *rooms, const char *ref) {
    cJSON *data = cJSON_CreateObject();
    cJSON *names = cJSON_AddArrayToObject(data, "rooms");
    bool done = names != NULL && cJSON_AddStringToObject(data, "channel", channel) != NULL;

    for (unsigned i = 0; done && i < rooms->count; i++) {
        done = cJSON_AddItemToArray(names, cJSON_CreateString(rooms->names[i]));
    }
    done = done && reply_add_position(worker, conn, data);
    reply_send(worker, conn, "subscribed", reply_data(data, done), ref);
}

static unsigned most_channels(const struct worker *worker) {
    unsigned most = (unsigned)worker->options->ws_max_subscriptions;

    return most > SUBSCRIBE_CHANNELS ? most : SUBSCRIBE_CHANNELS;
}

static bool all_strings(const cJSON *channels) {
    const cJSON *channel;

    if (!cJSON_IsArray(channels)) {
        return false;
    }
    cJSON_ArrayForEach(channel, channels) {
        if (!cJSON_IsString(channel)) {
            return false;
        }
    }
    return true;
}
