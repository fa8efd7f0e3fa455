import './style/tokens.css';
import './style/base.css';
import { mount } from 'svelte';
import { at } from './base';
import App from './App.svelte';

if (import.meta.env.PROD && 'serviceWorker' in navigator) navigator.serviceWorker.register(at('/sw.js')).catch(() => undefined); // without one the page works, but not without its server

mount(App, { target: document.getElementById('app')! });
