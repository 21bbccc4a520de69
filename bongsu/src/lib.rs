//! bongsu
