/* A whole conversion of a file: what succeeds is sound and complete, and a refusal leaves nothing.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <sft.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check_model.h"
#include "target.h"

/* More than this need not be written: it says nothing new, and takes time. */
#define MOST_BYTES (UINT64_C(8) << 20)

static char base[64];
static char source[128];
static char folder[128];

static void clean_up(void) {
    unlink(source);
    rmdir(folder);
    rmdir(base);
}

static void make_folders(void) {
    if (base[0] != '\0') {
        return;
    }
    const char *const places[] = {"/dev/shm", "/tmp"};
    for (size_t i = 0; i < 2 && base[0] == '\0'; i++) {
        snprintf(base, sizeof base, "%s/sft-fuzz-XXXXXX", places[i]);
        if (mkdtemp(base) == NULL) {
            base[0] = '\0';
        }
    }
    fuzz_require(base[0] != '\0', "no folder to work in");
    snprintf(source, sizeof source, "%s/source.pt", base);
    snprintf(folder, sizeof folder, "%s/out", base);
    fuzz_require(mkdir(folder, 0755) == 0, "no folder for results");
    atexit(clean_up);
}

static void store(const uint8_t *data, size_t size) {
    FILE *file = fopen(source, "wb");
    fuzz_require(file != NULL, "cannot write the input");
    fuzz_require(fwrite(data, 1, size, file) == size, "cannot write the input");
    fuzz_require(fclose(file) == 0, "cannot write the input");
}

/* How many files there are; removes them. */
static uint64_t empty_folder(void) {
    DIR *listing = opendir(folder);
    fuzz_require(listing != NULL, "the folder of results is gone");
    uint64_t count = 0;
    for (const struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            char path[512];
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            fuzz_require(unlink(path) == 0, "a result that cannot be removed");
            count++;
        }
    }
    closedir(listing);
    return count;
}

static bool small_enough(void *context, uint64_t done, uint64_t total) {
    (void)context;
    fuzz_require(done <= total, "more done than there is to do");
    return total <= 2 * MOST_BYTES;
}

/* Each tensor of the report is in its file, as it says, and nothing else is there. */
static void check_files(const sft_conversion *done) {
    uint64_t count = 0;
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < sft_conversion_files(done); i++) {
        sft_file *file;
        fuzz_require(sft_open(sft_conversion_file(done, i), NULL, &file, NULL) == SFT_OK,
                     "a result that cannot be opened");
        fuzz_expect(check_header(sft_file_header(file), sft_file_size(file)));
        count += sft_count(file);
        for (uint64_t t = 0; t < sft_conversion_count(done); t++) {
            const sft_converted *told = sft_conversion_at(done, t);
            if (told->file != i) {
                continue;
            }
            const sft_tensor *tensor = sft_find(file, told->name, told->name_length);
            fuzz_require(tensor != NULL && tensor->dtype == told->dtype &&
                             tensor->rank == told->rank &&
                             tensor->end - tensor->begin == told->size,
                         "a tensor that is not as the report says");
            bytes += told->size;
        }
        sft_close(file);
    }
    fuzz_require(count == sft_conversion_count(done), "tensors that are not in the report");
    fuzz_require(bytes == sft_conversion_bytes(done), "bytes that are not in the report");
    if (sft_conversion_index_path(done) != NULL) {
        sft_model *model;
        fuzz_require(sft_model_open(folder, NULL, &model, NULL) == SFT_OK,
                     "an index that does not agree with its files");
        sft_model_close(model);
    }
}

static sft_status convert(const sft_convert_options *options) {
    char target[160];
    snprintf(target, sizeof target, "%s%s", folder,
             options->max_shard_size > 0 ? "/" : "/out.safetensors");
    sft_conversion *done;
    sft_error error = {0};
    sft_status status = sft_convert(source, target, options, &done, &error);
    if (status == SFT_OK) {
        check_files(done);
        uint64_t files = sft_conversion_files(done) + (sft_conversion_index_path(done) != NULL);
        fuzz_require(empty_folder() == files, "files that are not in the report");
    } else {
        fuzz_expect(check_error(&error, status));
        fuzz_require(empty_folder() == 0, "refused, but something is left behind");
    }
    sft_conversion_free(done);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    make_folders();
    store(data, size);
    sft_convert_options options = SFT_CONVERT_OPTIONS;
    options.progress = small_enough;
    options.max_shard_size = size % 2 == 0 ? 0 : 64;
    sft_status status = convert(&options);
    if (status == SFT_UNVOUCHED_SOURCE) {
        options.allow_unknown = true;
        status = convert(&options);
        fuzz_require(status != SFT_DANGEROUS_SOURCE && status != SFT_UNVOUCHED_SOURCE,
                     "two scans do not agree");
    }
    return 0;
}
