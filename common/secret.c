#include "common/secret.h"

#include "common/config_files.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEWLINE_BYTES 2 /* of CR LF */

struct secret {
    size_t mapped; /* bytes of the mapping, this head included */
    size_t length;
    char bytes[];
};

static struct secret *secret_new(size_t capacity);
static int fill_from_file(struct secret *secret, int fd, size_t capacity);
static size_t without_newline(const char *bytes, size_t length);
static int check_length(size_t length);

int secret_from_text(struct span text, struct secret **out) {
    struct secret *secret;
    int error = check_length(text.length);

    if (error != 0) {
        return error;
    }
    secret = secret_new(text.length);
    if (secret == NULL) {
        return -ENOMEM;
    }
    memcpy(secret->bytes, text.data, text.length);
    secret->length = text.length;
    *out = secret;
    return 0;
}

int secret_from_file(const char *path, struct secret **out) {
    /* One byte more than allowed, so that a longer file shows itself without another call. */
    const size_t capacity = SECRET_MAX_BYTES + NEWLINE_BYTES + 1;
    struct secret *secret;
    int error;
    int fd = config_files_open(path);

    if (fd < 0) {
        return fd;
    }
    secret = secret_new(capacity);
    error = secret != NULL ? fill_from_file(secret, fd, capacity) : -ENOMEM;
    if (error == 0) {
        *out = secret;
        secret = NULL;
    }
    close(fd);
    secret_free(secret);
    return error;
}

void secret_free(struct secret *secret) {
    size_t mapped;

    if (secret == NULL) {
        return;
    }
    mapped = secret->mapped;
    OPENSSL_cleanse(secret, mapped);
    munmap(secret, mapped);
}

struct span secret_bytes(const struct secret *secret) {
    return (struct span){secret->bytes, secret->length};
}

bool secret_equal(struct span a, struct span b) {
    return a.length == b.length && (a.length == 0 || CRYPTO_memcmp(a.data, b.data, a.length) == 0);
}

void secret_hide_environment(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    uintptr_t from, to;

    while (environ != NULL && environ[count] != NULL) {
        count++;
    }
    if (count == 0) {
        return;
    }
    /* The kernel lays the strings out one behind the other. */
    from = (uintptr_t)environ[0] / page * page;
    to = (uintptr_t)(environ[count - 1] + strlen(environ[count - 1])) / page * page + page;
    if (from < to) {
        (void)madvise((void *)from, to - from, MADV_DONTDUMP);
    }
}

void secret_protect_process(void) {
    (void)prctl(PR_SET_DUMPABLE, 0);
}

static int check_length(size_t length) {
    return length == 0 ? -EINVAL : length > SECRET_MAX_BYTES ? -E2BIG : 0;
}

/* NULL when out of memory. */
static struct secret *secret_new(size_t capacity) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t mapped = (sizeof(struct secret) + capacity + page - 1) / page * page;
    struct secret *secret =
        mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (secret == MAP_FAILED) {
        return NULL;
    }
    if (madvise(secret, mapped, MADV_DONTDUMP) != 0) {
        munmap(secret, mapped);
        return NULL;
    }
    (void)mlock(secret,
                mapped); /* RLIMIT_MEMLOCK may forbid it; swapped is better than not started */
    secret->mapped = mapped;
    return secret;
}

static int fill_from_file(struct secret *secret, int fd, size_t capacity) {
    struct stat status;
    size_t length = 0;
    ssize_t got;

    if (fstat(fd, &status) != 0) {
        return -errno;
    }
    if (!S_ISREG(status.st_mode)) {
        return S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
    }
    do {
        got = read(fd, secret->bytes + length, capacity - length);
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        length += got > 0 ? (size_t)got : 0;
    } while (got != 0 && length < capacity);
    secret->length = without_newline(secret->bytes, length);
    return check_length(secret->length);
}

static size_t without_newline(const char *bytes, size_t length) {
    if (length > 0 && bytes[length - 1] == '\n') {
        length--;
        if (length > 0 && bytes[length - 1] == '\r') {
            length--;
        }
    }
    return length;
}
