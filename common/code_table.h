/* Every error code and close code that clients may see, in one table each: name, numeric code, and the
 * sentence for documentation. The names are fixed: clients know them. */
#ifndef MOONX_COMMON_CODE_TABLE_H
#define MOONX_COMMON_CODE_TABLE_H

#include "common/base.h"

/*        name                          default message for the client */
#define ERROR_CODE_TABLE(X)                                                                        \
    X(INVALID_JSON, "The message is not valid JSON")                                               \
    X(INVALID_MESSAGE, "The message lacks a field or has one of a wrong kind")                     \
    X(UNKNOWN_TYPE, "Unknown message type")                                                        \
    X(NOT_AUTHENTICATED, "Authenticate first")                                                     \
    X(UNKNOWN_CHANNEL, "Unknown channel")                                                          \
    X(PERMISSION_DENIED, "Not allowed")                                                            \
    X(TOO_MANY_SUBSCRIPTIONS, "Too many subscriptions on this connection")                         \
    X(RATE_LIMIT_EXCEEDED, "Too many messages")                                                    \
    X(MIDDLEWARE_REJECTED, "The message was refused")                                              \
    X(INVALID_NOTIFICATION_DATA, "The notification lacks a field or has one of a wrong kind")      \
    X(NOTIFICATION_PROCESSING_ERROR, "The notification could not be processed")                    \
    X(INVALID_ACTION_DATA, "The action lacks a field or has one of a wrong kind")                  \
    X(ACTION_FAILED, "The action failed")                                                          \
    X(ACTION_PROCESSING_ERROR, "The action could not be processed")                                \
    X(PUBLISH_FAILED, "The event could not be published")                                          \
    X(SERVICE_UNAVAILABLE, "Not available at the moment")                                          \
    X(MESSAGE_PROCESSING_ERROR, "The message could not be processed")                              \
    X(INVALID_TOKEN, "Invalid token")                                                              \
    X(TOKEN_EXPIRED, "Token expired")                                                              \
    X(TOKEN_REVOKED, "Token revoked")                                                              \
    X(USER_INACTIVE, "User is not active")                                                         \
    X(INVALID_USER_ID, "The user id must be 1 to 114 characters of A-Z a-z 0-9 _ . : @ | + = ~ -") \
    X(AUTH_UNAVAILABLE, "Authentication is not available at the moment")

enum error_code {
#define X(name, message) ERROR_##name,
    ERROR_CODE_TABLE(X)
#undef X
        ERROR_CODE_COUNT
};

const char *error_code_name(enum error_code code);
const char *error_code_message(enum error_code code);

/*        name             code  meaning (RFC 6455 section 7.4.1) */
#define CLOSE_CODE_TABLE(X)                                                                        \
    X(NORMAL, 1000, "normal")                                                                      \
    X(GOING_AWAY, 1001, "going away")                                                              \
    X(PROTOCOL_ERROR, 1002, "protocol error")                                                      \
    X(UNSUPPORTED, 1003, "binary messages are not accepted")                                       \
    X(BAD_UTF8, 1007, "text that is not UTF-8")                                                    \
    X(POLICY, 1008, "policy: authentication, limits, abuse")                                       \
    X(TOO_BIG, 1009, "message too big")                                                            \
    X(SERVER_ERROR, 1011, "server fault")                                                          \
    X(SERVICE_RESTART, 1012, "service restart: connect again")                                     \
    X(TRY_AGAIN_LATER, 1013, "slow consumer or overload: connect again later")

enum close_code {
#define X(name, code, meaning) CLOSE_##name = (code),
    CLOSE_CODE_TABLE(X)
#undef X
};

#endif
