//! The worker's end of the bridge: requests come in, and events go out. Both may carry files.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use js_sys::Array;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;
use web_sys::{Blob, MessageEvent};

use super::time::{Breath, now, scope};
use crate::app::protocol::{Event, Request, TrainRequest};
use crate::wire::{Read, read};

/// Milliseconds after which the event loop runs again.
const BREATH_MS: f64 = 4.0;

/// A request, and the files that it brings.
pub type Message<R = Request> = (R, Vec<Blob>);

/// What a program is asked.
pub trait Asked: Read + 'static {
    /// Whether this is answered in the background, and ends no run.
    fn is_background(&self) -> bool;

    /// Whether this is answered between two steps of the run, and ends none.
    fn is_aside(&self) -> bool {
        false
    }

    /// Whether an older request that waits has lost its meaning with this one.
    fn replaces(&self, _: &Self) -> bool {
        false
    }
}

impl Asked for Request {
    fn is_background(&self) -> bool {
        Request::is_background(self)
    }

    fn is_aside(&self) -> bool {
        Request::is_aside(self)
    }

    fn replaces(&self, older: &Self) -> bool {
        // Only the newest of the texts typed needs to be counted.
        matches!((self, older), (Request::Tokenize { .. }, Request::Tokenize { .. }))
    }
}

impl Asked for TrainRequest {
    fn is_background(&self) -> bool {
        false
    }
}

/// Requests that have arrived: those that wait for their turn, and those that are answered in the background.
struct Inbox<R> {
    requests: Queue<R>,
    background: Queue<R>,
}

/// Requests in order of arrival, and the tasks that wait for them.
struct Queue<R> {
    waiting: VecDeque<Message<R>>,
    /// Wakers of all waiting tasks.
    wakers: Vec<Waker>,
}

impl<R> Default for Queue<R> {
    fn default() -> Self {
        Queue { waiting: VecDeque::new(), wakers: Vec::new() }
    }
}

/// The bridge to the page.
pub struct Channel<R = Request> {
    inbox: Rc<RefCell<Inbox<R>>>,
    breath: Breath,
}

impl<R: Asked> Channel<R> {
    /// Opens the bridge. Requests are taken from now on.
    pub fn open() -> Result<Self, JsValue> {
        let inbox = Rc::new(RefCell::new(Inbox { requests: Queue::default(), background: Queue::default() }));
        let arrived = inbox.clone();
        let listener =
            Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| match unpack(&message.data()) {
                Ok(message) => arrived.borrow_mut().push(message),
                Err(error) => send(&Event::Panicked { message: format!("a message that is no request: {error}") }),
            });
        scope().set_onmessage(Some(listener.as_ref().unchecked_ref()));
        listener.forget(); // listens as long as the worker lives
        Ok(Channel { inbox, breath: Breath::new()? })
    }

    /// The next request that is not a background request, in order of arrival. Such a request interrupts the current
    /// task.
    pub async fn receive(&self) -> Message<R> {
        poll_fn(|context| self.inbox.borrow_mut().requests.poll(context)).await
    }

    /// The result of a future, or `None` as soon as a request waits that interrupts it.
    pub async fn unless_interrupted<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if !self.inbox.borrow_mut().requests.poll_calm(context) {
                return Poll::Ready(None);
            }
            future.as_mut().poll(context).map(Some)
        })
        .await
    }

    /// The background requests ([`Request::is_background`]), for a second loop.
    pub fn background(&self) -> Result<BackgroundRequests<R>, JsValue> {
        Ok(BackgroundRequests { inbox: self.inbox.clone(), breath: Breath::new()? })
    }

    /// Lets the event loop run, and says whether a request waits that interrupts the current task.
    pub async fn interrupted(&self) -> bool {
        // A browser that cannot post a message to itself cannot be interrupted; the run goes on.
        let _ = self.breath.take().await;
        !self.inbox.borrow().requests.is_calm()
    }

    /// The next request that is answered between two steps of a run.
    pub fn aside(&self) -> Option<R> {
        let waiting = &mut self.inbox.borrow_mut().requests.waiting;
        let index = waiting.iter().position(|(request, _)| request.is_aside())?;
        waiting.remove(index).map(|(request, _)| request)
    }

    /// The same for steps that may be short: the event loop runs every few milliseconds, and before the first step.
    pub async fn interrupted_between(&self, last: &mut f64) -> bool {
        if now() - *last < BREATH_MS {
            return false;
        }
        let interrupted = self.interrupted().await;
        *last = now();
        interrupted
    }

    /// Posts an event to the page.
    pub fn send(&self, event: &Event) {
        send(event);
    }

    /// Posts an event with a file.
    pub fn send_with(&self, event: &Event, file: Option<Blob>) {
        post(event, &file.into_iter().collect());
    }
}

/// The requests that are answered while the main loop works.
pub struct BackgroundRequests<R = Request> {
    inbox: Rc<RefCell<Inbox<R>>>,
    breath: Breath,
}

impl<R> BackgroundRequests<R> {
    /// The next of these requests, in order of arrival.
    pub async fn receive(&self) -> Message<R> {
        poll_fn(|context| self.inbox.borrow_mut().background.poll(context)).await
    }

    /// Lets the event loop and the main loop run.
    pub async fn breathe(&self) {
        // A browser that cannot post a message to itself answers without a pause.
        let _ = self.breath.take().await;
    }
}

impl<R: Asked> Inbox<R> {
    fn push(&mut self, message: Message<R>) {
        if message.0.is_background() {
            self.background.waiting.retain(|(older, _)| !message.0.replaces(older));
            self.background.push(message);
        } else {
            self.requests.push(message);
        }
    }
}

/// Unpacks a message of the page.
fn unpack<R: Asked>(data: &JsValue) -> Result<Message<R>, String> {
    let parts: &Array = data.unchecked_ref();
    let files: Array = parts.get(1).unchecked_into();
    Ok((read(&parts.get(0))?, files.iter().map(JsCast::unchecked_into).collect()))
}

impl<R: Asked> Queue<R> {
    /// Whether nothing waits that interrupts a task.
    fn is_calm(&self) -> bool {
        self.waiting.iter().all(|(request, _)| request.is_aside())
    }

    /// The same. If it is so, wakes the task at the next request.
    fn poll_calm(&mut self, context: &Context<'_>) -> bool {
        let is_calm = self.is_calm();
        if is_calm {
            self.wait(context.waker());
        }
        is_calm
    }
}

impl<R> Queue<R> {
    fn push(&mut self, message: Message<R>) {
        self.waiting.push_back(message);
        self.wakers.drain(..).for_each(Waker::wake);
    }

    fn wait(&mut self, waker: &Waker) {
        if !self.wakers.iter().any(|other| other.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<Message<R>> {
        match self.waiting.pop_front() {
            Some(message) => Poll::Ready(message),
            None => {
                self.wait(context.waker());
                Poll::Pending
            }
        }
    }
}

/// Posts an event to the page. The panic hook uses it too, and has no channel.
pub fn send(event: &Event) {
    post(event, &Array::new());
}

fn post(event: &Event, files: &Array) {
    let event = event.serialize(&Serializer::json_compatible());
    let posted = event.map_err(JsValue::from).and_then(|event| scope().post_message(&Array::of2(&event, files)));
    if let Err(error) = posted {
        wasm_bindgen::throw_val(error); // reaches the page as the worker's `error` event
    }
}
