//! Templates of others in minijinja: bounded steps and bounded size; nothing of the machine is in reach, for no loader,
//! file, environment or network is given to them.

use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value;
use std::io;

/// The longest text that comes out, in bytes.
pub const TEMPLATE_BYTES: usize = 64 << 10;
/// Steps of the template's machine; far below 50 ms of them.
const FUEL: u64 = 20_000;
/// The longest template, in bytes.
const SOURCE_BYTES: usize = 32 << 10;

/// A template that was read.
#[derive(Debug, Clone)]
pub struct BoundedTemplate {
    name: &'static str,
    environment: Environment<'static>,
}

/// What is wrong with a template, or with what came out of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is too long to be one.
    #[error("a template has at most 32 KiB")]
    Long,
    /// It cannot be read, or not be followed; with its line.
    #[error("{0}")]
    Template(String),
    /// More came out than may.
    #[error("more than 64 KiB come out")]
    Large,
    /// It takes too many steps.
    #[error("it takes more than {FUEL} steps")]
    Slow,
}

impl BoundedTemplate {
    /// Reads a template; `name` is what errors call it.
    pub fn parse(name: &'static str, source: &str) -> Result<Self, TemplateError> {
        if source.len() > SOURCE_BYTES {
            return Err(TemplateError::Long);
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        // JSON is made by the filter `tojson`; nothing else is escaped.
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        // With these, few steps make a large text.
        for function in ["range", "namespace", "debug"] {
            environment.remove_global(function);
        }
        environment
            .add_template_owned(name, source.to_owned())
            .map_err(|error| told(&error))?;
        Ok(Self { name, environment })
    }

    /// The text that it makes of values.
    pub fn render(&self, values: Value) -> Result<String, TemplateError> {
        let template = self
            .environment
            .get_template(self.name)
            .map_err(|error| told(&error))?;
        let mut out = Bounded(Vec::new());
        match template.render_captured_to(values, &mut out) {
            Ok(_) => String::from_utf8(out.0).map_err(|_| TemplateError::Large),
            Err(_) if out.0.len() >= TEMPLATE_BYTES => Err(TemplateError::Large),
            Err(error) => Err(told(&error)),
        }
    }
}

fn told(error: &minijinja::Error) -> TemplateError {
    match error.kind() {
        minijinja::ErrorKind::OutOfFuel => TemplateError::Slow,
        _ => TemplateError::Template(error.to_string()),
    }
}

/// A buffer that takes no more than fits.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > TEMPLATE_BYTES {
            // What is full stays full.
            self.0.resize(TEMPLATE_BYTES, b' ');
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
