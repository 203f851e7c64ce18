//! JavaScript's values.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use super::Value;

impl Value for JsValue {
    fn nothing() -> Self {
        JsValue::UNDEFINED
    }

    fn is_nothing(&self) -> bool {
        self.is_null() || self.is_undefined()
    }

    fn number(&self) -> Option<f64> {
        self.as_f64()
    }

    fn text(&self) -> Option<String> {
        self.as_string()
    }

    fn flag(&self) -> Option<bool> {
        self.as_bool()
    }

    fn items(&self) -> Option<Vec<JsValue>> {
        self.dyn_ref::<Array>().map(|items| items.iter().collect())
    }

    fn field(&self, name: &str) -> JsValue {
        // Of what is no object there is nothing.
        Reflect::get(self, &name.into()).unwrap_or_default()
    }

    fn only_field(&self) -> Option<(String, JsValue)> {
        let name = Object::keys(self.dyn_ref::<Object>()?).get(0).as_string()?;
        let value = self.field(&name);
        Some((name, value))
    }
}
