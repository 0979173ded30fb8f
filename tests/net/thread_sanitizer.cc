// What the thread sanitizer is told about libuv.
//
// libuv closes descriptors by a bare system call, which the sanitizer doesn't see.
// So when the kernel gives out the number again, in another thread, it takes that
// for a race with whoever had it before. Only calls that make descriptors are
// passed over, and nothing of ours.
#if defined(__SANITIZE_THREAD__)
#define SYNCLINE_THREAD_SANITIZER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SYNCLINE_THREAD_SANITIZER
#endif
#endif

#ifdef SYNCLINE_THREAD_SANITIZER
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:^socket$\nrace:^accept4$\nrace:^epoll_create1$\nrace:^pipe2$\nrace:^eventfd$\n";
}
#endif
