#include "gateway/redis/redis_address.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define PASSWORD_MAX 1024
#define DATABASE_MAX 1000000
#define PORT_MAX     65535
#define REDIS_PORT   6379

static const char *read_url(const char *url, struct redis_address *out);
static const char *read_user(struct span text, struct redis_address *out);
/* A name, or a numeric address, perhaps of IPv6 with its zone. */
static bool is_host(const char *text) {
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:%";

    return text[0] != '\0' && text[strspn(text, allowed)] == '\0';
}

static const char *read_place(struct span text, struct redis_address *out);
static const char *read_socket(struct span text, struct redis_address *out);
static const char *read_host(const struct options *options, struct redis_address *out);
static int add_password(const struct options *options, struct redis_address *address, char *error,
                        size_t error_size);

int redis_address_read(const struct options *options, struct redis_address *out, char *error,
                       size_t error_size) {
    struct redis_address address = {.port = REDIS_PORT};
    bool by_url = options->redis_url[0] != '\0';
    const char *fault;

    if (!by_url && options->redis_host[0] == '\0') {
        return 0;
    }
    fault = by_url ? read_url(options->redis_url, &address) : read_host(options, &address);
    if (by_url && fault == NULL && options->redis_host[0] != '\0') {
        fault = "is set beside REDIS_HOST; set only one of the two";
    }
    if (fault != NULL) {
        (void)snprintf(error, error_size, "%s: %s", by_url ? "REDIS_URL (--redis)" : "REDIS_HOST",
                       fault);
        redis_address_done(&address);
        return -EINVAL;
    }
    int result = add_password(options, &address, error, error_size);
    if (result != 0) {
        redis_address_done(&address);
        return result;
    }
    *out = address;
    return 1;
}

static struct span password_of(const struct redis_address *address) {
    return address->password != NULL ? secret_bytes(address->password) : (struct span){"", 0};
}

bool redis_address_same(const struct redis_address *a, const struct redis_address *b) {
    return strcmp(a->host, b->host) == 0 && a->port == b->port && a->database == b->database &&
           strcmp(a->user, b->user) == 0 && (a->password == NULL) == (b->password == NULL) &&
           secret_equal(password_of(a), password_of(b));
}

void redis_address_done(struct redis_address *address) {
    secret_free(address->password);
    address->password = NULL;
}

static bool take_prefix(struct span *text, const char *prefix) {
    size_t length = strlen(prefix);

    if (text->length < length || memcmp(text->data, prefix, length) != 0) {
        return false;
    }
    *text = (struct span){text->data + length, text->length - length};
    return true;
}

static const char *read_url(const char *url, struct redis_address *out) {
    struct span text = span_of(url);
    bool socket = take_prefix(&text, "unix://");

    if (!socket && take_prefix(&text, "rediss://")) {
        return "rediss:// (TLS) is not spoken here; put a TLS tunnel on this host and name that";
    }
    if (!socket && !take_prefix(&text, "redis://")) {
        return "is neither redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE] nor unix:///PATH";
    }
    const char *at = memrchr(text.data, '@', text.length);
    if (at != NULL) {
        struct span user = {text.data, (size_t)(at - text.data)};
        const char *fault = read_user(user, out);
        if (fault != NULL) {
            return fault;
        }
        text = (struct span){at + 1, text.length - user.length - 1};
    }
    return socket ? read_socket(text, out) : read_place(text, out);
}

static int digit_of(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* %XX as the byte it means; never a NUL. The length, or -1 when it is bad or longer than size - 1. */
static long decode(struct span text, char *out, size_t size) {
    size_t length = 0;

    for (size_t i = 0; i < text.length; i++) {
        int byte = (unsigned char)text.data[i];
        if (byte == '%') {
            int high = i + 2 < text.length ? digit_of(text.data[i + 1]) : -1;
            int low = high >= 0 ? digit_of(text.data[i + 2]) : -1;
            byte = low >= 0 ? high * 16 + low : 0;
            i += 2;
        }
        if (byte == 0 || length + 1 >= size) {
            return -1;
        }
        out[length++] = (char)byte;
    }
    out[length] = '\0';
    return (long)length;
}

static const char *read_user(struct span text, struct redis_address *out) {
    const char *colon = memchr(text.data, ':', text.length);
    char password[PASSWORD_MAX + 1];

    if (colon == NULL) {
        return "has a user without a password";
    }
    struct span user = {text.data, (size_t)(colon - text.data)};
    struct span word = {colon + 1, text.length - user.length - 1};
    long length = decode(word, password, sizeof(password));
    bool good = decode(user, out->user, sizeof(out->user)) >= 0 && length > 0 &&
                secret_from_text((struct span){password, (size_t)length}, &out->password) == 0;
    OPENSSL_cleanse(password, sizeof(password));
    return good ? NULL : "has a user or a password that is empty, too long or badly escaped";
}

/* Digits only, at most `most`. */
static bool read_number(struct span text, unsigned most, unsigned *out) {
    unsigned number = 0;

    if (text.length == 0 || text.length > 7) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (unsigned)(text.data[i] - '0');
    }
    if (number > most) {
        return false;
    }
    *out = number;
    return true;
}

/* Cuts what stands before the first `separator`; *rest is what stands behind it, with data NULL when there is none. */
static struct span cut(struct span text, char separator, struct span *rest) {
    const char *found = text.length > 0 ? memchr(text.data, separator, text.length) : NULL;
    size_t length = found != NULL ? (size_t)(found - text.data) : text.length;

    *rest = found != NULL ? (struct span){found + 1, text.length - length - 1} : (struct span){0};
    return (struct span){text.data, length};
}

static const char *read_place(struct span text, struct redis_address *out) {
    struct span database, host, port, place = cut(text, '/', &database);
    unsigned number = REDIS_PORT;

    if (place.length > 0 && place.data[0] == '[') {
        struct span behind;
        host = cut((struct span){place.data + 1, place.length - 1}, ']', &behind);
        if (behind.data == NULL || (behind.length > 0 && behind.data[0] != ':')) {
            return "has a [ without its ]";
        }
        (void)cut(behind, ':', &port);
    } else {
        host = cut(place, ':', &port);
    }
    if (decode(host, out->host, sizeof(out->host)) < 0 || !is_host(out->host)) {
        return "names no host";
    }
    if (port.data != NULL && (!read_number(port, PORT_MAX, &number) || number == 0)) {
        return "has a port that is no number from 1 to 65535";
    }
    out->port = (uint16_t)number;
    if (database.length > 0 && !read_number(database, DATABASE_MAX, &out->database)) {
        return "has a database that is no number";
    }
    return NULL;
}

static bool fits_a_socket(const char *path) {
    return strlen(path) < sizeof(((struct sockaddr_un *)0)->sun_path);
}

static const char *read_socket(struct span text, struct redis_address *out) {
    if (text.length < 2 || text.data[0] != '/' || decode(text, out->host, sizeof(out->host)) < 0 ||
        !fits_a_socket(out->host)) {
        return "is not unix:///PATH with a path of at most 107 bytes";
    }
    return NULL;
}

static const char *read_host(const struct options *options, struct redis_address *out) {
    if (strstr(options->redis_host, "://") != NULL || strchr(options->redis_host, '@') != NULL) {
        return "is a host, not an address with a scheme; that would be REDIS_URL";
    }
    if (options->redis_host[0] == '/' && !fits_a_socket(options->redis_host)) {
        return "is a path of more than 107 bytes";
    }
    if (options->redis_host[0] != '/' && !is_host(options->redis_host)) {
        return "is neither the name or address of a host nor the path of a socket";
    }
    (void)snprintf(out->host, sizeof(out->host), "%s", options->redis_host);
    out->port = (uint16_t)options->redis_port;
    return NULL;
}

static int add_password(const struct options *options, struct redis_address *address, char *error,
                        size_t error_size) {
    bool text = options->redis_password[0] != '\0', file = options->redis_password_file[0] != '\0';
    int result = 0;

    if (text + file + (address->password != NULL) > 1) {
        (void)snprintf(error, error_size,
                       "REDIS_PASSWORD: the password is given twice; set only one of REDIS_URL's, "
                       "REDIS_PASSWORD and REDIS_PASSWORD_FILE");
        return -EINVAL;
    }
    if (text) {
        result = secret_from_text(span_of(options->redis_password), &address->password);
    } else if (file) {
        result = secret_from_file(options->redis_password_file, &address->password);
    }
    if (result != 0) {
        (void)snprintf(error, error_size, "%s: %s", file ? "REDIS_PASSWORD_FILE" : "REDIS_PASSWORD",
                       strerror(-result));
    }
    return result;
}
