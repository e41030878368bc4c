import { mount } from 'svelte';
import './icons.css';
import './app.css';
import App from './App.svelte';
import { applyTheme } from './lib/theme.svelte';

applyTheme();

const target = document.getElementById('page');
if (target === null) throw new Error('index.html has no #page');
mount(App, { target });
