/* Changing the metadata of a file, in place or by a new file. */
#include <sft/edit.h>

#include <errno.h>

#include <sft/reader.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/edit.h"
#include "format/header.h"
#include "io/os.h"
#include "io/replace.h"
#include "io/transfer.h"
#include "model/save.h"

/* How often a file may be replaced by others while it is looked at, before that is an error. */
#define MOST_TRIES 1000

typedef struct editing {
    sft_save save;
    const char *path;
    const sft_metadata_change *changes;
    uint64_t count;
    int fd;
    bool writable;
    sft_os_info info;
    sft_file *file;
    const sft_header *header;
    sft_edit edit;
    sft_edit_result result;
    bool again; /* another file stands at the path now: all is to be done anew */
} editing;

static bool same_file(const sft_os_info *a, const sft_os_info *b) {
    return a->device == b->device && a->inode == b->inode;
}

/* ---- in place ---- */

/* The new header must be good before a byte of it is written. */
static sft_status check_text(const editing *job, const sft_edit_text *text, sft_error *error) {
    sft_header_options options = SFT_HEADER_OPTIONS;
    options.allocator = &job->save.allocator;
    sft_header *header;
    sft_status status =
        sft_header_parse(text->bytes, (size_t)text->size,
                         text->size + sft_header_data_size(job->header), &options, &header, error);
    if (status == SFT_OK) {
        sft_header_free(header);
    }
    return status;
}

static sft_status overwrite(const editing *job, const sft_edit_text *text, sft_error *error) {
    uint64_t size = text->end - text->first;
    int failure = sft_write_whole(job->fd, text->first, text->bytes + text->first, size);
    bool written = failure == 0;
    if (written && job->save.options.durable) {
        failure = sft_os_flush(job->fd);
    }
    if (failure == 0) {
        return SFT_OK;
    }
    size_t length;
    const char *old = sft_header_text(job->header, &length) + (text->first - SFT_HEADER_PREFIX);
    bool restored = sft_write_whole(job->fd, text->first, old, size) == 0;
    return sft_fail_system(error, SFT_WRITE_FAILED, failure,
                           restored  ? "cannot change the file"
                           : written ? "the change is in place, but cannot be flushed to the disk, "
                                       "nor taken back"
                                     : "cannot change the file, nor take back what was written of "
                                       "its header");
}

/* Does nothing, and leaves the result as it is, where it cannot be done in place. */
static sft_status edit_in_place(editing *job, sft_error *error) {
    bool misaligned = sft_header_data_start(job->header) % job->save.options.alignment != 0;
    if (!job->writable || (job->save.aligned && misaligned)) {
        return SFT_OK;
    }
    sft_edit_text text;
    sft_status status = sft_edit_in_place(&job->edit, job->header, &text, error);
    if (status != SFT_OK || text.bytes == NULL) {
        return status;
    }
    status = check_text(job, &text, error);
    if (status == SFT_OK) {
        status = overwrite(job, &text, error);
        job->result = SFT_EDIT_IN_PLACE;
    }
    sft_edit_text_free(&text, &job->save.allocator);
    return status;
}

/* ---- by a new file ---- */

typedef struct copying {
    sft_save *save;
    uint64_t header;
} copying;

static bool copied(void *context, uint64_t done) {
    const copying *state = context;
    return sft_save_report(state->save, state->header + done, NULL) == SFT_OK;
}

static sft_status write_new(editing *job, const sft_edit_text *text, int fd, sft_error *error) {
    int failure = sft_write_whole(fd, 0, text->bytes, text->size);
    if (failure != 0) {
        return sft_fail_system(error, SFT_WRITE_FAILED, failure, "cannot write the new file");
    }
    job->save.total = text->size + sft_header_data_size(job->header);
    job->save.reported = 0;
    sft_status status = sft_save_report(&job->save, text->size, error);
    if (status != SFT_OK) {
        return status;
    }
    copying state = {&job->save, text->size};
    sft_copy copy = {.from = job->fd,
                     .from_offset = sft_header_data_start(job->header),
                     .to = fd,
                     .to_offset = text->size,
                     .size = sft_header_data_size(job->header),
                     .allocator = &job->save.allocator,
                     .progress = copied,
                     .context = &state};
    return sft_copy_bytes(&copy, error);
}

static sft_status replace_with(editing *job, const sft_edit_text *text, sft_error *error) {
    sft_replace replace;
    sft_status status =
        sft_replace_begin(&replace, job->path, job->save.options.durable, false, error);
    if (status != SFT_OK) {
        return status;
    }
    replace.only_this = true;
    if (!replace.exists || !same_file(&replace.target, &job->info)) {
        sft_replace_abort(&replace);
        job->again = true;
        return SFT_OK;
    }
    status = write_new(job, text, replace.fd, error);
    if (status != SFT_OK) {
        sft_replace_abort(&replace);
        return status;
    }
    status = sft_replace_commit(&replace, error);
    if (replace.target_changed) {
        job->again = true;
        return SFT_OK;
    }
    job->result = SFT_EDIT_NEW_FILE;
    return status;
}

static sft_status edit_by_new_file(editing *job, sft_error *error) {
    sft_edit_text text;
    sft_status status = sft_edit_with_room(&job->edit, job->header, job->save.options.alignment,
                                           SFT_COPY_BLOCK, &text, error);
    if (status != SFT_OK) {
        return status;
    }
    status = check_text(job, &text, error);
    if (status == SFT_OK) {
        status = replace_with(job, &text, error);
    }
    sft_edit_text_free(&text, &job->save.allocator);
    return status;
}

/* ---- both ---- */

static sft_status edit_file(editing *job, sft_error *error) {
    uint64_t seed[2];
    sft_os_random(seed);
    sft_status status = sft_edit_apply(&job->edit, job->header, job->changes, job->count, seed,
                                       &job->save.allocator, error);
    if (status != SFT_OK) {
        return status;
    }
    job->result = SFT_EDIT_NOTHING;
    if (!job->edit.same) {
        status = edit_in_place(job, error);
        if (status == SFT_OK && job->result == SFT_EDIT_NOTHING) {
            status = edit_by_new_file(job, error);
        }
    }
    sft_edit_free(&job->edit);
    return status;
}

/* Checks the file that is open, locked against other edits, and edits it. */
static sft_status edit_open(editing *job, sft_error *error) {
    sft_open_options options = SFT_OPEN_OPTIONS;
    options.access = SFT_ACCESS_READ;
    options.allocator = &job->save.allocator;
    int failure = sft_os_describe(job->fd, &job->info);
    if (failure != 0) {
        return sft_fail_system(error, SFT_OPEN_FAILED, failure, "cannot open");
    }
    if (job->info.regular) {
        /* Where locks are unknown, two edits at once are the caller's risk. */
        if (sft_os_lock_file(job->fd, true) == EWOULDBLOCK) {
            return sft_fail_system(error, SFT_OPEN_FAILED, EBUSY,
                                   "another program keeps the file locked");
        }
        sft_os_info now;
        failure = sft_os_look_path(job->path, &now);
        if (failure != 0 || !same_file(&now, &job->info)) {
            job->again = true;
            return SFT_OK;
        }
    }
    sft_status status = sft_open_fd(job->fd, &options, &job->file, error);
    if (status == SFT_OK) {
        job->header = sft_file_header(job->file);
        status = edit_file(job, error);
        sft_close(job->file);
    }
    return status;
}

static sft_status edit(editing *job, sft_error *error) {
    for (int i = 0; i < MOST_TRIES; i++) {
        int failure = sft_os_open_change(job->path, &job->fd, &job->writable);
        if (failure != 0) {
            return sft_fail_system(error, SFT_OPEN_FAILED, failure, "cannot open");
        }
        job->again = false;
        sft_status status = edit_open(job, error);
        sft_os_close(job->fd);
        if (!job->again) {
            return status;
        }
    }
    return sft_fail_system(error, SFT_OPEN_FAILED, EBUSY,
                           "others replace the file again and again");
}

sft_status sft_edit_metadata(const char *path, const sft_metadata_change *changes, uint64_t count,
                             const sft_write_options *options, sft_edit_result *result,
                             sft_error *error) {
    if (path == NULL || (changes == NULL && count > 0)) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        path == NULL ? "no path is given"
                                     : "changes is a null pointer, but count is not 0");
    }
    editing job = {.path = path, .changes = changes, .count = count};
    sft_status status = sft_save_init(&job.save, options, error);
    if (status == SFT_OK) {
        status = edit(&job, error);
    }
    if (status != SFT_OK) {
        sft_error_file(error, path);
    } else if (result != NULL) {
        *result = job.result;
    }
    return status;
}
