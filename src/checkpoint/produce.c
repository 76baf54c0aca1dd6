#include "checkpoint/produce.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/copy.h"
#include "checkpoint/index_file.h"
#include "checkpoint/verify.h"
#include "io/os.h"

typedef struct producer {
    const sft_product *product;
    sft_allocator allocator;
    sft_writer **writers;            /* one a file */
    bool *existed;                   /* whether the file was there before */
    const sft_plan_tensor **tensors; /* file by file, as the writers number them */
    uint64_t *first;                 /* where each file's tensors begin there */
    uint64_t file_count;
    uint64_t committed;
    sft_copy_progress progress;
    sft_error *error;
} producer;

/* ---- beginning ---- */

/* Brings the tensors into the order of their files. */
static void group_tensors(producer *p) {
    const sft_plan *plan = p->product->plan;
    for (uint64_t i = 0; i < plan->count; i++) {
        p->first[plan->tensors[i].file + 1]++;
    }
    for (uint64_t i = 0; i < p->file_count; i++) {
        p->first[i + 1] += p->first[i];
    }
    /* Each goes before those of its file that are placed already: first[file + 1] ends where the
     * file begins. */
    for (uint64_t i = plan->count; i > 0; i--) {
        const sft_plan_tensor *planned = &plan->tensors[i - 1];
        p->tensors[--p->first[planned->file + 1]] = planned;
    }
    for (uint64_t i = 0; i < p->file_count; i++) {
        p->first[i] = p->first[i + 1];
    }
    p->first[p->file_count] = plan->count;
}

static sft_mover mover_of(const producer *p, uint64_t file) {
    return (sft_mover){p->writers[file], p->tensors + p->first[file],
                       p->first[file + 1] - p->first[file], p->product->paths};
}

static sft_status begin_file(producer *p, uint64_t file) {
    const sft_plan *plan = p->product->plan;
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.metadata = plan->metadata;
    options.metadata_count = plan->metadata_count;
    options.durable = p->product->options->durable;
    options.keep_existing = p->product->options->keep_existing;
    options.allocator = &p->allocator;
    const char *path = p->product->files->files[file];
    sft_os_info info = {.size = 0};
    p->existed[file] = sft_os_look(SFT_OS_HERE, path, &info) == 0;
    sft_status status = sft_writer_new(path, &options, &p->writers[file], p->error);
    if (status != SFT_OK) {
        p->writers[file] = NULL;
        return status;
    }
    for (uint64_t i = p->first[file]; i < p->first[file + 1] && status == SFT_OK; i++) {
        const sft_plan_tensor *planned = p->tensors[i];
        status = sft_writer_declare(p->writers[file], planned->name, planned->name_length,
                                    planned->tensor->dtype, planned->tensor->shape,
                                    planned->tensor->rank, NULL, p->error);
    }
    if (p->product->files->folder != NULL) {
        sft_writer_make_folder(p->writers[file], p->product->files->folder, sft_base_name(path));
    }
    return status == SFT_OK ? sft_writer_begin(p->writers[file], p->error) : status;
}

/* ---- ending ---- */

static void split_path(const char *path, char *folder, size_t size, const char **name) {
    *name = sft_base_name(path);
    size_t length = (size_t)(*name - path);
    length = length < size ? length : 0;
    memcpy(folder, path, length);
    folder[length] = '\0';
}

/* Takes a new file away that has its name already. One that was replaced cannot come back. */
static void withdraw(const producer *p, uint64_t file) {
    char folder[4096];
    const char *name;
    int fd;
    bool readable;
    if (p->existed[file]) {
        return;
    }
    split_path(p->product->files->files[file], folder, sizeof folder, &name);
    if (sft_os_open_folder(SFT_OS_HERE, *folder != '\0' ? folder : ".", &fd, &readable) == 0) {
        (void)sft_os_remove(fd, name);
        sft_os_close(fd);
    }
}

static sft_status commit(producer *p) {
    const sft_product *product = p->product;
    sft_status status = SFT_OK;
    while (p->committed < p->file_count && status == SFT_OK) {
        status = sft_writer_commit(p->writers[p->committed], p->error);
        p->committed += status == SFT_OK ? 1 : 0;
    }
    if (status == SFT_OK && product->files->index != NULL) {
        const sft_index_file index = {.plan = product->plan,
                                      .split = product->split,
                                      .files = product->files->files,
                                      .path = product->files->index,
                                      .durable = product->options->durable,
                                      .keep_existing = product->options->keep_existing};
        status = sft_index_file_write(&index, p->error);
    }
    for (uint64_t i = 0; i < p->committed && status != SFT_OK; i++) {
        withdraw(p, i);
    }
    return status;
}

/* ---- the whole ---- */

static sft_status write_files(producer *p) {
    const char *folder = p->product->files->folder;
    sft_status status = SFT_OK;
    for (uint64_t i = 0; i < p->file_count && status == SFT_OK; i++) {
        status = begin_file(p, i);
    }
    for (uint64_t i = 0; i < p->file_count && status == SFT_OK; i++) {
        sft_copy_job job = {.allocator = p->allocator,
                            .mover = mover_of(p, i),
                            .target = p->product->files->files[i],
                            .beside = folder != NULL ? folder : p->product->files->files[i],
                            .progress = &p->progress};
        status = sft_verify_header(&job.mover, p->product->plan, job.target, p->error);
        if (status == SFT_OK) {
            status = sft_copy_tensors(&job, p->error);
        }
        if (status != SFT_OK) {
            sft_error_file(p->error, job.target);
        }
    }
    return status == SFT_OK ? commit(p) : status;
}

static bool take_tables(producer *p) {
    const sft_allocator *allocator = &p->allocator;
    uint64_t files = p->file_count;
    p->writers = sft_allocate_zeroed(allocator, files, sizeof *p->writers);
    p->existed = sft_allocate_zeroed(allocator, files, sizeof *p->existed);
    p->first = sft_allocate_zeroed(allocator, files + 1, sizeof *p->first);
    p->tensors = sft_allocate_zeroed(allocator, p->product->plan->count, sizeof *p->tensors);
    return p->writers != NULL && p->existed != NULL && p->first != NULL && p->tensors != NULL;
}

static void end(producer *p) {
    const sft_allocator *allocator = &p->allocator;
    for (uint64_t i = 0; i < p->file_count && p->writers != NULL; i++) {
        sft_writer_free(p->writers[i]);
    }
    sft_release(allocator, (void *)p->writers, p->file_count * sizeof *p->writers);
    sft_release(allocator, p->existed, p->file_count * sizeof *p->existed);
    sft_release(allocator, p->first, (p->file_count + 1) * sizeof *p->first);
    sft_release(allocator, (void *)p->tensors, p->product->plan->count * sizeof *p->tensors);
}

sft_status sft_produce(const sft_product *product, sft_error *error) {
    producer p = {.product = product,
                  .allocator = product->allocator,
                  .file_count = product->files->count,
                  .progress = {.call = product->options->progress,
                               .context = product->options->progress_context,
                               .total = 2 * product->plan->bytes},
                  .error = error};
    sft_status status;
    if (take_tables(&p)) {
        group_tensors(&p);
        status = write_files(&p);
    } else {
        status = sft_fail_memory(error);
    }
    end(&p);
    if (status != SFT_OK && product->files->folder != NULL) {
        /* It was not there before, and is empty again, if it was made at all. */
        (void)sft_os_remove_folder(SFT_OS_HERE, product->files->folder);
    }
    return status;
}
