#include "io/source.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "io/os.h"

/* The descriptor itself is the context: a file source needs no memory. */
static int fd_of(void *context) {
    return (int)(intptr_t)context;
}

static int fd_size(void *context, uint64_t *size) {
    sft_os_info info;
    int failure = sft_os_describe(fd_of(context), &info);
    *size = failure == 0 ? info.size : 0;
    return failure;
}

static int64_t fd_read_at(void *context, uint64_t offset, void *to, size_t size) {
    return sft_os_read_at(fd_of(context), offset, to, size);
}

const void *sft_source_map_fd(const sft_source *source, uint64_t size, bool writable) {
    void *address = NULL;
    return sft_os_map(fd_of(source->context), size, writable, &address) == 0 ? address : NULL;
}

static void fd_close(void *context) {
    sft_os_close(fd_of(context));
}

sft_source sft_source_of_fd(int fd) {
    return (sft_source){(void *)(intptr_t)fd, fd_size, fd_read_at, NULL, fd_close};
}

static int bytes_size(void *context, uint64_t *size) {
    *size = ((const sft_bytes *)context)->size;
    return 0;
}

static int64_t bytes_read_at(void *context, uint64_t offset, void *to, size_t size) {
    const sft_bytes *bytes = context;
    if (offset >= bytes->size) {
        return 0;
    }
    size_t moved = (size_t)sft_min(size, bytes->size - offset);
    memcpy(to, (const char *)bytes->at + offset, moved);
    return (int64_t)moved;
}

sft_source sft_source_of_bytes(const sft_bytes *bytes) {
    return (sft_source){(void *)(uintptr_t)bytes, bytes_size, bytes_read_at, NULL, NULL};
}

/* Linux moves at most 2 GiB less a page in one call; smaller pieces cost nothing more. */
#define LARGEST_READ (UINT64_C(1) << 30)

sft_status sft_source_read(const sft_source *source, uint64_t offset, void *to, uint64_t size,
                           sft_error *error) {
    char *at = to;
    while (size > 0) {
        size_t piece = (size_t)sft_min(size, LARGEST_READ);
        int64_t moved = source->read_at(source->context, offset, at, piece);
        if (moved < 0) {
            /* The caller's function may say anything: what is no errno value is an I/O error. */
            int failure = moved < -INT_MAX ? EIO : (int)-moved;
            sft_fail_system(error, SFT_READ_FAILED, failure, "cannot read");
            if (error != NULL) {
                error->byte = offset;
            }
            return SFT_READ_FAILED;
        }
        if (moved == 0) {
            return sft_fail(error, SFT_FILE_SHRANK, offset,
                            "the file ends here: it became shorter after it was opened");
        }
        if ((uint64_t)moved > piece) {
            return sft_fail(error, SFT_READ_FAILED, offset,
                            "the source says that it read more bytes than were asked for");
        }
        at += moved;
        offset += (uint64_t)moved;
        size -= (uint64_t)moved;
    }
    return SFT_OK;
}

bool sft_source_ready(const sft_source *source, uint64_t offset) {
    return source->read_at != fd_read_at || sft_os_has_read(fd_of(source->context), offset);
}

void sft_source_expect(const sft_source *source, uint64_t offset, uint64_t size) {
    if (source->read_at == fd_read_at) {
        sft_os_read_ahead(fd_of(source->context), offset, size);
    }
}
