/* The bounded queue of whole requests, and the threads that answer them. */
#include "http_inner.h"

#include <stdlib.h>

bool http_queue_put(HttpServer *s, HttpExchange *x)
{
    HttpQueue *q = &s->queue;
    pthread_mutex_lock(&q->lock);
    bool room = !q->closed && q->n < s->options.queue_max;
    if (room) {
        x->next = NULL;
        *(q->last ? &q->last->next : &q->first) = x;
        q->last = x;
        q->n++;
        pthread_cond_signal(&q->filled);
    }
    pthread_mutex_unlock(&q->lock);
    return room;
}

/* NULL when the queue is closed and empty. */
static HttpExchange *queue_take(HttpQueue *q)
{
    pthread_mutex_lock(&q->lock);
    while (!q->first && !q->closed) {
        pthread_cond_wait(&q->filled, &q->lock);
    }
    HttpExchange *x = q->first;
    if (x) {
        q->first = x->next;
        if (!q->first) {
            q->last = NULL;
        }
        q->n--;
    }
    pthread_mutex_unlock(&q->lock);
    return x;
}

static void worker_answer(HttpServer *s, HttpExchange *x, bool open, void *thread)
{
    bool late = time_mono_ms() - x->begun_ms > s->options.answer_ms; /* nobody waits any more */
    if (late || !open) {
        http_exchange_busy(x);
    } else {
        http_exchange_run(x, thread);
    }
    x->phase = HTTP_PHASE_READY;
    MHD_resume_connection(x->connection);
}

/* Asked again at the next request where it failed. */
static bool worker_open(HttpServer *s, void **thread)
{
    Arena scratch;
    Err err;
    arena_init(&scratch, 1 << 20);
    err_init(&err, &scratch);
    bool open =
        !s->options.thread_open || s->options.thread_open(s->options.app, thread, &err) == OK;
    if (!open) {
        log_error("http", "a worker cannot open its readers: %.*s",
                  STR_ARG(err.first ? err.first->en : STR_NONE));
    }
    arena_done(&scratch);
    return open;
}

static void *worker_main(void *arg)
{
    HttpServer *s = arg;
    void *thread = NULL;
    bool open = worker_open(s, &thread);
    for (HttpExchange *x; (x = queue_take(&s->queue)) != NULL;) {
        open = open || worker_open(s, &thread);
        worker_answer(s, x, open, thread);
    }
    if (open && s->options.thread_close) {
        s->options.thread_close(thread);
    }
    return NULL;
}

Status http_workers_start(HttpServer *s, Err *err)
{
    s->worker = memory_take_zeroed(s->options.workers * sizeof *s->worker);
    for (; s->workers_started < s->options.workers; s->workers_started++) {
        if (pthread_create(&s->worker[s->workers_started], NULL, worker_main, s) != 0) {
            return err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "无法启动工作线程",
                           "Worker threads cannot be started");
        }
    }
    return OK;
}

void http_workers_stop(HttpServer *s)
{
    pthread_mutex_lock(&s->queue.lock);
    s->queue.closed = true;
    pthread_cond_broadcast(&s->queue.filled);
    pthread_mutex_unlock(&s->queue.lock);
    for (unsigned i = 0; i < s->workers_started; i++) {
        pthread_join(s->worker[i], NULL);
    }
    free(s->worker);
}
