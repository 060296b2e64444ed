/* What stands on Redis's port may say anything, also in another host's name; what an operator writes as its address may be
 * anything too. The first byte chooses; replies come in pieces whose length the second byte says. */
#include "gateway/presence/room_members.h"
#include "gateway/redis/redis_address.h"
#include "gateway/redis/redis_reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_replies(const uint8_t *data, size_t size) {
    redisReader *reader = redis_reply_reader();
    size_t step = (size_t)data[0] + 1;
    int found = reader != NULL ? 0 : -1;

    for (size_t at = 1; at < size && found >= 0; at += step) {
        size_t length = size - at < step ? size - at : step;
        redisReply *reply;
        found = redis_reply_feed(reader, (struct span){(const char *)data + at, length});
        while (found >= 0 && (found = redis_reply_next(reader, &reply)) == 1) {
            char word[8];
            if (reply->type == REDIS_REPLY_ERROR) {
                redis_reply_word(reply, word, sizeof(word));
            }
            (void)redis_reply_is_down(reply);
            freeReplyObject(reply);
        }
    }
    if (reader != NULL) {
        redisReaderFree(reader);
    }
}

static void read_address(const uint8_t *data, size_t size) {
    char error[512] = "";
    char *url = strndup((const char *)data, size);
    struct options options = {.redis_url = url != NULL ? url : "",
                              .redis_host = "",
                              .redis_password = "",
                              .redis_password_file = ""};
    struct redis_address address;

    if (redis_address_read(&options, &address, error, sizeof(error)) == 1) {
        if (address.host[0] == '\0' || address.port == 0) {
            abort();
        }
        redis_address_done(&address);
    }
    free(url);
}

/* Two hosts say the same: nobody may count twice because of that. */
static void read_members(const uint8_t *data, size_t size) {
    static struct room_members members;
    struct span text = {(const char *)data, size};

    room_members_init(&members);
    if (room_members_read(&members, text) == 0) {
        unsigned listed = members.listed;
        if (room_members_read(&members, text) != 0 || members.listed != listed ||
            members.listed > ROOM_MEMBERS_MOST || room_members_count(&members) < listed) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 1 << 16) {
        return 0;
    }
    if (data[0] % 4 == 0) {
        read_address(data + 1, size - 1);
    } else if (data[0] % 4 == 1) {
        read_members(data + 1, size - 1);
    } else {
        read_replies(data + 1, size - 1);
    }
    return 0;
}
