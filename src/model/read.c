/* Reading tensors, parts and slices of them. */
#include "base/error.h"
#include "format/header.h"
#include "format/slice.h"
#include "io/gather.h"
#include "io/source.h"
#include "model/file.h"

sft_status sft_file_blame(const sft_file *file, const sft_tensor *tensor, sft_status status,
                          sft_error *error) {
    if (status != SFT_OK) {
        sft_error_tensor(error, tensor->name, tensor->name_length);
        sft_error_file(error, file->path);
    }
    return status;
}

static sft_status check_arguments(const sft_file *file, const sft_tensor *tensor, const void *to,
                                  uint64_t size, sft_error *error) {
    if (file == NULL || tensor == NULL || (to == NULL && size > 0)) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "a file, a tensor and a buffer are needed");
    }
    if (!sft_file_owns(file, tensor)) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "the tensor belongs to another file");
    }
    return SFT_OK;
}

static sft_status fail_size(const sft_tensor *tensor, uint64_t size, uint64_t needed,
                            sft_error *error) {
    sft_fail(error, SFT_BUFFER_SIZE, SFT_NO_BYTE,
             "the buffer has %llu bytes, what is read has %llu", (unsigned long long)size,
             (unsigned long long)needed);
    sft_error_tensor(error, tensor->name, tensor->name_length);
    return SFT_BUFFER_SIZE;
}

sft_status sft_file_read(const sft_file *file, const sft_tensor *tensor, uint64_t offset, void *to,
                         uint64_t size, sft_error *error) {
    uint64_t place = sft_header_data_start(file->header) + offset;
    return sft_file_blame(file, tensor, sft_source_read(&file->source, place, to, size, error),
                          error);
}

sft_status sft_read(const sft_file *file, const sft_tensor *tensor, void *to, uint64_t size,
                    sft_error *error) {
    sft_status status = check_arguments(file, tensor, to, size, error);
    if (status != SFT_OK) {
        return status;
    }
    if (size != tensor->end - tensor->begin) {
        return fail_size(tensor, size, tensor->end - tensor->begin, error);
    }
    return sft_file_read(file, tensor, tensor->begin, to, size, error);
}

sft_status sft_read_part(const sft_file *file, const sft_tensor *tensor, uint64_t offset, void *to,
                         uint64_t size, sft_error *error) {
    sft_status status = check_arguments(file, tensor, to, size, error);
    if (status != SFT_OK) {
        return status;
    }
    uint64_t bytes = tensor->end - tensor->begin;
    if (offset > bytes || size > bytes - offset) {
        return sft_file_blame(file, tensor,
                              sft_fail(error, SFT_OUT_OF_BOUNDS, SFT_NO_BYTE,
                                       "the part ends behind the tensor's end"),
                              error);
    }
    return sft_file_read(file, tensor, tensor->begin + offset, to, size, error);
}

/* ---- slices ---- */

static sft_status read_plan(const sft_file *file, const sft_tensor *tensor,
                            const sft_slice_plan *plan, void *to, sft_error *error) {
    if (plan->bytes == 0) {
        return SFT_OK;
    }
    sft_gather_loop loops[SFT_SLICE_LOOPS];
    for (uint32_t i = 0; i < plan->loop_count; i++) {
        loops[i] = (sft_gather_loop){plan->loops[i].count, plan->loops[i].stride};
    }
    sft_gather what = {.start = sft_header_data_start(file->header) + tensor->begin + plan->start,
                       .run = plan->run,
                       .loops = loops,
                       .loop_count = plan->loop_count};
    /* Else never through a mapping: a file that shrinks must give an error here, not a signal. */
    if (file->in_memory && file->view != NULL) {
        sft_gather_memory(&what, file->view, to);
        return SFT_OK;
    }
    sft_status status = sft_gather_read(&what, &file->source, &file->allocator, to, error);
    return sft_file_blame(file, tensor, status, error);
}

sft_status sft_file_plan(const sft_read_request *request, sft_slice_plan *plan, sft_error *error) {
    sft_status status =
        check_arguments(request->file, request->tensor, request->to, request->size, error);
    if (status == SFT_OK && request->ranges == NULL && request->range_count > 0) {
        status = sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "the ranges are NULL");
    }
    if (status == SFT_OK) {
        status = sft_slice_resolve(request->tensor, request->ranges, request->range_count, NULL,
                                   NULL, plan, error);
    }
    if (status == SFT_OK && plan->bytes != request->size) {
        status = fail_size(request->tensor, request->size, plan->bytes, error);
    }
    return status;
}

sft_status sft_read_slice(const sft_file *file, const sft_tensor *tensor, const sft_range *ranges,
                          uint32_t count, void *to, uint64_t size, sft_error *error) {
    sft_read_request request = {file, tensor, ranges, count, to, size};
    sft_slice_plan plan;
    sft_status status = sft_file_plan(&request, &plan, error);
    return status == SFT_OK ? read_plan(file, tensor, &plan, to, error) : status;
}
