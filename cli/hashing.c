#include "hashing.h"

#include "inputs.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 1024 * 1024 };

static sft_status add_tensor(const sft_file *file, const sft_tensor *tensor, struct digest *whole,
                             struct digest *own, unsigned char *buffer, sft_error *error) {
    uint64_t size = tensor->end - tensor->begin;
    for (uint64_t at = 0; at < size;) {
        uint64_t piece = size - at < BUFFER ? size - at : BUFFER;
        sft_status status = sft_read_part(file, tensor, at, buffer, piece, error);
        if (status != SFT_OK) {
            return status;
        }
        digest_add(own, buffer, (size_t)piece);
        digest_add(whole, buffer, (size_t)piece);
        progress_add(piece);
        at += piece;
    }
    return SFT_OK;
}

/* The tensors tile the data: length, header and tensors in file order are the whole file. */
static void add_header(const sft_file *file, struct digest *whole) {
    size_t length;
    const char *text = sft_header_text(sft_file_header(file), &length);
    unsigned char prefix[8];
    for (unsigned i = 0; i < 8; i++) {
        prefix[i] = (unsigned char)((uint64_t)length >> (8 * i));
    }
    digest_add(whole, prefix, sizeof prefix);
    digest_add(whole, text, length);
}

sft_status hash_file(const sft_file *file, struct file_digests *digests, sft_error *error) {
    uint64_t count = sft_count(file);
    struct digest *whole = digest_new();
    struct digest *own = digest_new();
    unsigned char *buffer = memory_take(BUFFER, 1);
    digests->tensors = memory_take((size_t)count, DIGEST_SIZE);
    add_header(file, whole);
    sft_status status = SFT_OK;
    for (uint64_t i = 0; i < count && status == SFT_OK; i++) {
        digest_begin(own);
        status = add_tensor(file, sft_at(file, i), whole, own, buffer, error);
        digest_end(own, digests->tensors[i]);
    }
    digest_end(whole, digests->whole);
    if (status != SFT_OK) {
        free(digests->tensors);
        digests->tensors = NULL;
    }
    free(buffer);
    digest_free(own);
    digest_free(whole);
    return status;
}

static sft_status fail(sft_error *error, sft_status status, const char *path, const char *doing,
                       int why) {
    struct text sentence = TEXT_EMPTY;
    text_add_format(&sentence, "%s%s%s", doing, why != 0 ? ": " : "",
                    why != 0 ? strerror(why) : "");
    input_error(error, status, path, sentence.bytes);
    error->system_error = why;
    text_free(&sentence);
    return status;
}

static sft_status add_all(int fd, const char *path, struct digest *digest, sft_error *error) {
    unsigned char *buffer = memory_take(BUFFER, 1);
    sft_status status = SFT_OK;
    for (;;) {
        ssize_t got = read(fd, buffer, BUFFER);
        if (got > 0) {
            digest_add(digest, buffer, (size_t)got);
            progress_add((uint64_t)got);
        } else if (got == 0) {
            break;
        } else if (errno != EINTR) {
            status = fail(error, SFT_READ_FAILED, path, "cannot read the file", errno);
            break;
        }
    }
    free(buffer);
    return status;
}

sft_status hash_plain(const char *path, unsigned char whole[DIGEST_SIZE], sft_error *error) {
    /* Non-blocking: a pipe without a writer must not be waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return fail(error, SFT_OPEN_FAILED, path, "cannot open the file", errno);
    }
    struct stat about;
    sft_status status = SFT_OK;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        status = fail(error, SFT_NOT_A_FILE, path, "not a regular file", 0);
    } else {
        struct digest *digest = digest_new();
        status = add_all(fd, path, digest, error);
        digest_end(digest, whole);
        digest_free(digest);
    }
    close(fd);
    return status;
}
