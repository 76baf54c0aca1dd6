/* One handle, many threads: meant for ThreadSanitizer, true without it too. */
#include "fixture.h"

#include <pthread.h>
#include <unistd.h>

enum { THREADS = 8, TENSORS = 64, ROUNDS = 50 };

typedef struct shared {
    const sft_file *file;
    const sft_model *model;
    int failures[THREADS];
} shared;

typedef struct worker {
    shared *all;
    int number;
} worker;

static bool same(const sft_file *file, const sft_tensor *tensor, const uint8_t *found) {
    return memcmp(found, sft_data(file, tensor), (size_t)(tensor->end - tensor->begin)) == 0;
}

static bool read_once(const shared *all, unsigned number) {
    char name[16];
    uint8_t whole[256];
    uint8_t part[128];
    size_t length = (size_t)snprintf(name, sizeof name, "t%u", number % TENSORS);
    const sft_tensor *tensor = sft_find(all->file, name, length);
    sft_model_tensor found;
    sft_range step[] = {{SFT_RANGE, 0, SFT_END, 2}};
    sft_error error;
    return tensor != NULL && sft_model_find(all->model, name, length, &found) &&
           sft_read(all->file, tensor, whole, 256, &error) == SFT_OK &&
           same(all->file, tensor, whole) &&
           sft_read_slice(found.file, found.tensor, step, 1, part, 128, &error) == SFT_OK &&
           part[1] == whole[2] &&
           sft_read(all->file, tensor, whole, 255, &error) == SFT_BUFFER_SIZE;
}

static bool read_many_once(const shared *all) {
    static const uint32_t threads[] = {1, 3};
    uint8_t *buffer = malloc(TENSORS * 256);
    sft_read_request requests[TENSORS];
    bool good = buffer != NULL;
    for (size_t t = 0; t < 2 && good; t++) {
        for (uint64_t i = 0; i < TENSORS; i++) {
            requests[i] =
                (sft_read_request){all->file, sft_at(all->file, i), NULL, 0, buffer + i * 256, 256};
        }
        sft_read_options options = SFT_READ_OPTIONS;
        options.threads = threads[t];
        good = sft_read_many(requests, TENSORS, &options, NULL) == SFT_OK;
        for (uint64_t i = 0; i < TENSORS && good; i++) {
            good = same(all->file, requests[i].tensor, requests[i].to);
        }
    }
    free(buffer);
    return good;
}

static void *work(void *context) {
    const worker *self = context;
    for (unsigned i = 0; i < ROUNDS; i++) {
        bool good = read_once(self->all, i * 7 + (unsigned)self->number) &&
                    (i % 10 != 0 || read_many_once(self->all));
        self->all->failures[self->number] += good ? 0 : 1;
    }
    return NULL;
}

static fixture_file make_file(void) {
    static char text[TENSORS * 80];
    size_t used = 0;
    for (unsigned i = 0; i < TENSORS; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "%c\"t%u\":{\"dtype\":\"U8\",\"shape\":[256],\"data_offsets\":"
                                 "[%u,%u]}",
                                 i == 0 ? '{' : ',', i, i * 256, i * 256 + 256);
    }
    snprintf(text + used, sizeof text - used, "}");
    return fixture_make(text, TENSORS * 256);
}

static void test_readers(void **state) {
    (void)state;
    fixture_file bytes = make_file();
    char path[64];
    fixture_save(&bytes, path);
    sft_file *file;
    sft_model *model;
    assert_ok(sft_open(path, NULL, &file, NULL));
    assert_ok(sft_model_open(path, NULL, &model, NULL));
    shared all = {file, model, {0}};
    worker workers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){&all, i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(all.failures[i], 0);
    }
    sft_close(file);
    sft_model_close(model);
    unlink(path);
    free(bytes.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_readers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
