#include "io/transfer.h"

#include <errno.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/os.h"

/* The most that one write is asked to take; Linux stops at 2 GiB less a page by itself. */
#define LARGEST_WRITE (UINT64_C(1) << 30)

int sft_write_whole(int fd, uint64_t offset, const void *from, uint64_t size) {
    const char *at = from;
    while (size > 0) {
        int64_t moved = sft_os_write_at(fd, offset, at, (size_t)sft_min(size, LARGEST_WRITE));
        if (moved <= 0) {
            return moved == 0 ? EIO : (int)-moved;
        }
        at += moved;
        offset += (uint64_t)moved;
        size -= (uint64_t)moved;
    }
    return 0;
}

/* ---- copying ---- */

#define BUFFER_SIZE (UINT64_C(1) * 1024 * 1024)

/* The ways to copy, best first. */
typedef enum way { BY_COPY_RANGE, BY_SENDFILE, BY_BUFFER } way;

static sft_status copy_through(const sft_copy *copy, uint64_t done, uint64_t size, char *buffer,
                               uint64_t *moved, sft_error *error) {
    int64_t got = sft_os_read_at(copy->from, copy->from_offset + done, buffer,
                                 (size_t)sft_min(size, BUFFER_SIZE));
    if (got < 0) {
        return sft_fail_system(error, SFT_READ_FAILED, (int)-got, "cannot read");
    }
    if (got == 0) {
        return sft_fail(error, SFT_FILE_SHRANK, copy->from_offset + done,
                        "the file became shorter while it was copied");
    }
    *moved = (uint64_t)got;
    int failure = sft_write_whole(copy->to, copy->to_offset + done, buffer, *moved);
    return failure == 0
               ? SFT_OK
               : sft_fail_system(error, SFT_WRITE_FAILED, failure, "cannot write the new file");
}

/* As much as can go in one step: first up to a whole block, then whole blocks, then the rest. */
static uint64_t step_size(const sft_copy *copy, uint64_t done) {
    uint64_t left = copy->size - done;
    uint64_t into_block = (copy->from_offset + done) % SFT_COPY_BLOCK;
    return sft_min(left, into_block > 0 ? SFT_COPY_BLOCK - into_block : SFT_TRANSFER_PIECE * 8);
}

/*
 * A way that fails, be it that this system or file system does not know it, gives over to the next
 * at the same place. The last one tells exactly what is wrong.
 */
static sft_status copy_with(const sft_copy *copy, char **buffer, sft_error *error) {
    way by = BY_COPY_RANGE;
    for (uint64_t done = 0; done < copy->size;) {
        uint64_t size = step_size(copy, done);
        uint64_t moved = 0;
        if (by == BY_BUFFER) {
            if (*buffer == NULL && (*buffer = sft_allocate(copy->allocator, BUFFER_SIZE)) == NULL) {
                return sft_fail_memory(error);
            }
            sft_status status = copy_through(copy, done, size, *buffer, &moved, error);
            if (status != SFT_OK) {
                return status;
            }
        } else {
            uint64_t in = copy->from_offset + done;
            uint64_t out = copy->to_offset + done;
            int64_t result = by == BY_COPY_RANGE ? sft_os_copy(copy->from, in, copy->to, out, size)
                                                 : sft_os_send(copy->from, in, copy->to, out, size);
            if (result <= 0) {
                by = by == BY_COPY_RANGE ? BY_SENDFILE : BY_BUFFER;
                continue;
            }
            moved = (uint64_t)result;
        }
        done += moved;
        if (copy->progress != NULL && !copy->progress(copy->context, done)) {
            return sft_fail(error, SFT_CANCELLED, SFT_NO_BYTE, "cancelled");
        }
    }
    return SFT_OK;
}

sft_status sft_copy_bytes(const sft_copy *copy, sft_error *error) {
    char *buffer = NULL;
    sft_status status = copy_with(copy, &buffer, error);
    sft_release(copy->allocator, buffer, BUFFER_SIZE);
    return status;
}
