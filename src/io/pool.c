#include "io/pool.h"

#include "io/os.h"

#define MOST_THREADS 64U

typedef struct pool {
    sft_os_mutex mutex;
    uint64_t next;
    uint64_t count;
    bool failed;
    sft_pool_work work;
    void *context;
} pool;

static bool take(pool *p, uint64_t *index) {
    sft_os_lock(&p->mutex);
    bool more = !p->failed && p->next < p->count;
    *index = more ? p->next++ : 0;
    sft_os_unlock(&p->mutex);
    return more;
}

static void *serve(void *context) {
    pool *p = context;
    uint64_t index;
    while (take(p, &index)) {
        if (!p->work(p->context, index)) {
            sft_os_lock(&p->mutex);
            p->failed = true;
            sft_os_unlock(&p->mutex);
        }
    }
    return NULL;
}

static bool run_alone(uint64_t count, sft_pool_work work, void *context) {
    for (uint64_t i = 0; i < count; i++) {
        if (!work(context, i)) {
            return false;
        }
    }
    return true;
}

bool sft_pool_run(uint32_t threads, uint64_t count, sft_pool_work work, void *context) {
    pool p = {.count = count, .work = work, .context = context};
    threads = threads > count ? (uint32_t)count : threads;
    threads = threads > MOST_THREADS ? MOST_THREADS : threads;
    if (threads <= 1 || sft_os_mutex_init(&p.mutex) != 0) {
        return run_alone(count, work, context);
    }
    sft_os_thread helpers[MOST_THREADS];
    uint32_t started = 0;
    while (started + 1 < threads && sft_os_thread_start(&helpers[started], serve, &p) == 0) {
        started++;
    }
    serve(&p);
    while (started > 0) {
        sft_os_thread_join(helpers[--started]);
    }
    sft_os_mutex_free(&p.mutex);
    return !p.failed;
}
